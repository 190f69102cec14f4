#pragma once

#include <memory>
#include <string>

#include "faces/picture.hpp"

namespace fercli {

/// Blue, green, red; 0 to 255.
struct Ink {
  int blue, green, red;
};

inline constexpr Ink kWhite{255, 255, 255}, kPale{205, 205, 205};

/// Draws text with French letters on BGR pixels. OpenCV's strokes know ASCII only; accents are strokes of our own above
/// and below them. Each text is drawn once, large, shrunk to smooth letters, and kept for the next frame; the store is
/// bounded.
class Lettering {
 public:
  Lettering();
  ~Lettering();
  Lettering(const Lettering&) = delete;
  Lettering& operator=(const Lettering&) = delete;

  /// `text` in UTF-8 at this place: left end and base line. `height` of a capital letter in pixels. What sticks out of
  /// the picture is cut off. Returns the width in pixels.
  int write(const torch::Tensor& bgr, const std::string& text, int left, int base, int height, Ink ink);

  int width(const std::string& text, int height);

 private:
  struct Store;
  std::unique_ptr<Store> store_;
};

}  // namespace fercli
