#include "draw/overlay.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <opencv2/imgproc.hpp>
#include <optional>

#include "data/label_set.hpp"
#include "faces/face_reader.hpp"
#include "faces/mat.hpp"

namespace fercli {

namespace {

constexpr Ink kBlack{20, 20, 20}, kTrack{70, 66, 64};
constexpr int kPlateLetter = 11, kBarLetter = 8;
/// Larger ones are drawn each time: a store of all sizes of large pictures would take gigabytes.
constexpr int kLargestKeptAvatar = 256;

cv::Scalar scalar(Ink ink) {
  return {static_cast<double>(ink.blue), static_cast<double>(ink.green), static_cast<double>(ink.red)};
}

/// Black on light colours, white on dark ones.
Ink readable_on(Ink ground) {
  return 0.114 * ground.blue + 0.587 * ground.green + 0.299 * ground.red > 140 ? kBlack : kWhite;
}

int shared_area(const cv::Rect& place, const std::vector<cv::Rect>& others) {
  return std::accumulate(others.begin(), others.end(), 0,
                         [&](int sum, const cv::Rect& other) { return sum + (place & other).area(); });
}

/// Where a box's plate covers no other one and as little of the faces as can be: above the box, below, beside or in it,
/// else some rows away.
cv::Rect free_plate(const cv::Rect& box, const cv::Size& size, const cv::Size& picture,
                    const std::vector<cv::Rect>& boxes, const std::vector<cv::Rect>& plates) {
  constexpr int kFarthest = 12;
  constexpr double kPlate = 100, kFace = 3, kAway = 0.5;  // the cost of a pixel covered, and for each row of distance
  const int right = box.x + box.width, below = box.y + box.height;
  std::vector<std::pair<cv::Point, int>> places;  // and how many rows away
  const auto in_row = [&](int top, int away) {
    for (const int left : {box.x, right - size.width}) places.push_back({{left, top}, away});
  };
  in_row(box.y - size.height, 0);
  in_row(below, 0);
  for (const int left : {box.x, right, box.x - size.width}) places.push_back({{left, box.y}, 0});
  for (int away = 1; away <= kFarthest; ++away) {
    in_row(box.y - (away + 1) * size.height, away);
    in_row(below + away * size.height, away);
  }
  cv::Rect best({box.x, std::max(0, box.y)}, size);
  double least = std::numeric_limits<double>::infinity();
  for (const auto& [place, away] : places) {
    const cv::Rect plate({std::clamp(place.x, 0, std::max(0, picture.width - size.width)), place.y}, size);
    if (plate.y < 0 || plate.y + size.height > picture.height) continue;
    const double cost =
        kPlate * shared_area(plate, plates) + kFace * shared_area(plate, boxes) + kAway * away * size.area();
    if (cost >= least) continue;
    least = cost;
    best = plate;
  }
  return best;
}

/// Where face i's avatar covers no plate and no other face: beside the box's upper corners, or in the right one.
std::optional<cv::Rect> free_avatar(size_t i, int side, const std::vector<cv::Rect>& boxes,
                                    const std::vector<cv::Rect>& plates, int picture_width) {
  constexpr int kGap = 4;
  const cv::Rect& box = boxes[i];
  const int right = box.x + box.width, top = std::max(0, box.y) + kGap;
  for (const int left : {right + kGap, box.x - side - kGap, right - side - kGap}) {
    const cv::Rect place(left, top, side, side);
    const int of_others = shared_area(place, boxes) - (place & box).area();
    if (left >= 0 && left + side <= picture_width && of_others + shared_area(place, plates) == 0) return place;
  }
  return {};
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

void Overlay::draw_faces(const torch::Tensor& bgr, const std::vector<FaceView>& faces, bool avatars) {
  cv::Mat canvas = as_mat(bgr);
  std::vector<cv::Rect> boxes, plates;
  for (const auto& face : faces) {
    boxes.push_back(as_rect(face.box));
    cv::rectangle(canvas, boxes.back(), scalar(kBlack), 4, cv::LINE_8);
    cv::rectangle(canvas, boxes.back(), scalar(class_ink(face.label)), 2, cv::LINE_8);
  }
  for (size_t i = 0; i < faces.size(); ++i) {
    const Ink ink = class_ink(faces[i].label);
    const std::string number = faces[i].id > 0 ? fmt::format("#{} ", faces[i].id) : "";
    const std::string text = number + verdict(faces[i].label, faces[i].probabilities);
    const cv::Size size(lettering_.width(text, kPlateLetter) + 12, kPlateLetter + 12);
    const cv::Rect plate = free_plate(boxes[i], size, canvas.size(), boxes, plates);
    plates.push_back(plate);
    fill_rectangle(bgr, plate.x, plate.y, plate.width, plate.height, ink);
    lettering_.write(bgr, text, plate.x + 6, plate.y + plate.height - 6, kPlateLetter, readable_on(ink));
  }
  for (size_t i = 0; i < faces.size() && avatars; ++i) {
    if (!faces[i].label) continue;
    const int side = std::max(24, boxes[i].width / 3) / 8 * 8;  // few sizes, so that the store stays small
    const auto place = free_avatar(i, side, boxes, plates, canvas.cols);
    if (!place) continue;
    const std::string& emotion = classes_.at(static_cast<size_t>(*faces[i].label));
    lay_over(bgr, side > kLargestKeptAvatar ? draw_avatar(emotion, side) : avatar(emotion, side), place->x, place->y);
    plates.push_back(*place);
  }
}

const torch::Tensor& Overlay::avatar(const std::string& emotion, int side) {
  auto& avatar = avatars_[{emotion, side}];
  if (!avatar.defined()) avatar = draw_avatar(emotion, side);
  return avatar;
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
