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

/// "0.5" as the language, "en" or "fr", writes it.
std::string in_language(std::string number, const std::string& language);

/// Draws text on BGR pixels with FreeType, in DejaVu Sans, which is part of the program. Each text is drawn once and
/// kept for the next frame; the store is bounded. One object serves one thread at a time.
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
