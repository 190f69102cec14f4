#include "draw/overlay.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <opencv2/imgproc.hpp>

#include "data/label_set.hpp"
#include "faces/face_reader.hpp"
#include "faces/mat.hpp"

namespace fercli {

namespace {

constexpr Ink kBlack{20, 20, 20}, kTrack{70, 66, 64};
constexpr int kPlateLetter = 11, kBarLetter = 8;

cv::Scalar scalar(Ink ink) {
  return {static_cast<double>(ink.blue), static_cast<double>(ink.green), static_cast<double>(ink.red)};
}

/// Black on light colours, white on dark ones.
Ink readable_on(Ink ground) {
  return 0.114 * ground.blue + 0.587 * ground.green + 0.299 * ground.red > 140 ? kBlack : kWhite;
}

/// Where a box's plate lies on no other one; where there is no such place, above the box.
cv::Rect free_plate(const cv::Rect& box, const cv::Size& size, const cv::Size& picture,
                    const std::vector<cv::Rect>& taken) {
  const int left = std::max(0, std::min(box.x, picture.width - size.width));
  const int above = box.y >= size.height ? box.y - size.height : box.y;
  std::vector<int> tops{above, box.y, box.y + box.height};
  for (int top = above + size.height; top + size.height <= picture.height; top += size.height) tops.push_back(top);
  for (const int top : tops) {
    const cv::Rect plate({left, top}, size);
    const bool inside = top >= 0 && top + size.height <= picture.height;
    const bool free =
        std::none_of(taken.begin(), taken.end(), [&](const cv::Rect& other) { return (plate & other).area() > 0; });
    if (inside && free) return plate;
  }
  return {{left, above}, size};
}

}  // namespace

void fill_rectangle(const torch::Tensor& bgr, int left, int top, int width, int height, Ink ink, double opacity) {
  cv::Mat canvas = as_mat(bgr);
  const cv::Rect area = cv::Rect(left, top, std::max(0, width), std::max(0, height)) & cv::Rect({}, canvas.size());
  if (area.empty()) return;
  cv::Mat part = canvas(area);
  if (opacity >= 1) {
    part.setTo(scalar(ink));
  } else {
    part.convertTo(part, -1, 1 - opacity);
    part += scalar(ink) * opacity;
  }
}

void draw_tile(const torch::Tensor& bgr, const torch::Tensor& image, int left, int top, int side) {
  const auto colour = (image.size(0) == 3 ? image.flip({0}) : image.expand({3, -1, -1})).permute({1, 2, 0});
  const auto pixels = colour.contiguous();
  cv::Mat large, canvas = as_mat(bgr);
  cv::resize(as_mat(pixels), large, {side, side}, 0, 0, side >= pixels.size(0) ? cv::INTER_NEAREST : cv::INTER_AREA);
  const cv::Rect area = cv::Rect(left, top, side, side) & cv::Rect({}, canvas.size());
  if (!area.empty()) large(area - cv::Point(left, top)).copyTo(canvas(area));
}

Overlay::Overlay(std::vector<std::string> classes, std::string language)
    : classes_(std::move(classes)), language_(std::move(language)) {}

std::string Overlay::class_name(int64_t number) const {
  return display_name(classes_.at(static_cast<size_t>(number)), language_);
}

Ink Overlay::class_ink(std::optional<int64_t> label) const {
  return label ? colour_of(classes_.at(static_cast<size_t>(*label))) : kUncertainInk;
}

std::string Overlay::verdict(std::optional<int64_t> label, const std::vector<double>& probabilities) const {
  const int64_t shown = label.value_or(top_of(probabilities));
  return fmt::format("{} {:.0f} %", label ? class_name(*label) : std::string(say("uncertain", "incertain")),
                     100 * probabilities.at(static_cast<size_t>(shown)));
}

std::string Overlay::number(double value, int decimals) const {
  return in_language(fmt::format("{:.{}f}", value, decimals), language_);
}

void Overlay::draw_faces(const torch::Tensor& bgr, const std::vector<FaceView>& faces) {
  cv::Mat canvas = as_mat(bgr);
  for (const auto& face : faces) {
    cv::rectangle(canvas, as_rect(face.box), scalar(kBlack), 4, cv::LINE_8);
    cv::rectangle(canvas, as_rect(face.box), scalar(class_ink(face.label)), 2, cv::LINE_8);
  }
  std::vector<cv::Rect> plates;
  for (const auto& face : faces) {
    const Ink ink = class_ink(face.label);
    const std::string number = face.id > 0 ? fmt::format("#{} ", face.id) : "";
    const std::string text = number + verdict(face.label, face.probabilities);
    const cv::Size size(lettering_.width(text, kPlateLetter) + 12, kPlateLetter + 12);
    const cv::Rect plate = free_plate(as_rect(face.box), size, canvas.size(), plates);
    plates.push_back(plate);
    fill_rectangle(bgr, plate.x, plate.y, plate.width, plate.height, ink);
    lettering_.write(bgr, text, plate.x + 6, plate.y + plate.height - 6, kPlateLetter, readable_on(ink));
  }
}

void Overlay::draw_avatar_of(const torch::Tensor& bgr, const FaceView& face) {
  if (!face.label) return;
  const int side = std::max(24, cvRound(face.box.width * 0.32));
  const std::string& emotion = classes_.at(static_cast<size_t>(*face.label));
  auto& avatar = avatars_[{emotion, side / 8 * 8}];  // few sizes, so that the store stays small
  if (!avatar.defined()) avatar = draw_avatar(emotion, side / 8 * 8);
  const int side_drawn = static_cast<int>(avatar.size(1)), right = cvRound(face.box.x + face.box.width) + 4;
  const bool has_room = right + side_drawn <= bgr.size(1);
  lay_over(bgr, avatar, has_room ? right : right - side_drawn - 8, cvRound(face.box.y));
}

void Overlay::draw_bars(const torch::Tensor& bgr, const std::vector<double>& probabilities, int left, int top,
                        int width) {
  const int label_room = width * 2 / 5, number_room = 34, room = width - label_room - number_room;
  const int64_t best = top_of(probabilities);
  for (size_t i = 0; i < probabilities.size(); ++i) {
    const bool wins = static_cast<int64_t>(i) == best;
    const int y = top + static_cast<int>(i) * kBarRow;
    lettering_.write(bgr, class_name(static_cast<int64_t>(i)), left, y + 12, kBarLetter, wins ? kWhite : kPale);
    fill_rectangle(bgr, left + label_room, y + 3, room, kBarRow - 7, kTrack);
    const int length = cvRound(room * probabilities[i]);
    fill_rectangle(bgr, left + label_room, y + 3, length, kBarRow - 7, colour_of(classes_[i]));
    const std::string number = fmt::format("{:.0f} %", 100 * probabilities[i]);
    lettering_.write(bgr, number, left + width - lettering_.width(number, kBarLetter), y + 12, kBarLetter,
                     wins ? kWhite : kPale);
  }
}

}  // namespace fercli
