#pragma once

#include <torch/types.h>

#include <string>

namespace fercli {

/// A window on the screen. All calls from the main thread.
class Window {
 public:
  /// Throws RunError when there is no screen.
  explicit Window(std::string title);
  ~Window();
  Window(const Window&) = delete;
  Window& operator=(const Window&) = delete;

  void show(const torch::Tensor& bgr);  ///< uint8 (H,W,3)

  /// The key pressed since the last call, as a character (27: Esc); -1: none. Lets the window live for a millisecond.
  int key();

  bool closed() const;  ///< the user closed it

 private:
  std::string title_;
  bool shown_ = false;
};

}  // namespace fercli
