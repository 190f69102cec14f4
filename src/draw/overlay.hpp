#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "draw/emotion_look.hpp"
#include "draw/lettering.hpp"
#include "faces/face_crop.hpp"

namespace fercli {

/// A face as it is shown.
struct FaceView {
  int64_t id = 0;  ///< 0: without a number
  Box box;
  std::optional<int64_t> label;       ///< class number; none: uncertain
  std::vector<double> probabilities;  ///< in the order of the classes
};

/// Draws what the program knows on BGR pixels, in English or French.
class Overlay {
 public:
  Overlay(std::vector<std::string> classes, std::string language);

  /// Boxes, and a plate "#1 Happy 91 %" above each; where that would leave the picture or cover another plate or face,
  /// below the box, beside it, or some rows away. `avatars`: the emotion's beside the box, where there is room for it.
  void draw_faces(const torch::Tensor& bgr, const std::vector<FaceView>& faces, bool avatars);

  /// One bar per class in the rectangle (left, top, width, kBarRow x classes); the largest in its emotion's colour.
  void draw_bars(const torch::Tensor& bgr, const std::vector<double>& probabilities, int left, int top, int width);
  static constexpr int kBarRow = 17;

  /// "Happy 91 %", or the word for uncertain with the largest probability.
  std::string verdict(std::optional<int64_t> label, const std::vector<double>& probabilities) const;

  std::string class_name(int64_t number) const;  ///< in the language
  Ink class_ink(std::optional<int64_t> label) const;
  const std::vector<std::string>& classes() const { return classes_; }
  bool french() const { return language_ == "fr"; }
  Lettering& lettering() { return lettering_; }

  /// A number with so many decimals, as the language writes it.
  std::string number(double value, int decimals) const;

  /// Picks the language's text.
  const char* say(const char* english, const char* french_text) const { return french() ? french_text : english; }

 private:
  const torch::Tensor& avatar(const std::string& emotion, int side);

  std::vector<std::string> classes_;
  std::string language_;
  Lettering lettering_;
  std::map<std::pair<std::string, int>, torch::Tensor> avatars_;
};

/// Filled rectangle, cut at the picture's edge. `opacity` 1: plain colour.
void fill_rectangle(const torch::Tensor& bgr, int left, int top, int width, int height, Ink ink, double opacity = 1);

/// `image` uint8 (C,h,w), grey or RGB, enlarged to side x side with visible pixels, at (left, top).
void draw_tile(const torch::Tensor& bgr, const torch::Tensor& image, int left, int top, int side);

}  // namespace fercli
