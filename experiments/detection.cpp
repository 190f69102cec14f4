// How many drawn faces the detectors find, and how many boxes hold no face.
//
//     detection [PICTURES [SEED [YUNET.onnx]]]
//
// Draws crowds before a wall with soft blobs, some as large as faces. Prints one Markdown row per detector, threshold
// and kind of picture: the share of the faces that a box stands for (overlap of at least 0.4 with the box between the
// drawn eyes and mouth) with its 95 % interval, as if faces were independent, and the boxes that stand for none.
// PICTURES of each kind (20), SEED: 1. YUNET.onnx: face_detection_yunet_2023mar.onnx.
#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>
#include <cstdio>

#include "core/text.hpp"
#include "data/drawn/face.hpp"
#include "data/drawn/geometry.hpp"
#include "eval/measures/metrics.hpp"
#include "eval/result.hpp"
#include "faces/face_detector.hpp"

namespace {

using namespace fercli;

constexpr int64_t kHeight = 720, kWidth = 1280;
constexpr double kSameFace = 0.4;  ///< overlap of a box with the face that it stands for
/// What a drawn portrait shows (src/data/drawn/raster.cpp): half its width in units of the face, and the share of its
/// height above the eyes.
constexpr double kHalfWidth = 5.2, kEyeLevel = 0.47;

/// A kind of picture. Faces have boxes of `smallest` to `largest` pixels and heads tilted by up to `roll` degrees
/// (`tilted`: by just so many).
struct Kind {
  std::string name;
  int64_t faces;
  double smallest, largest, roll = 0;
  bool tilted = false, at_border = false;
};

const std::vector<Kind> kKinds{{"6 faces of 80 to 140 pixels", 6, 80, 140, 5},
                               {"tilted by 15 degrees", 6, 80, 140, 15, true},
                               {"tilted by 30 degrees", 6, 80, 140, 30, true},
                               {"a quarter behind the border", 6, 80, 140, 5, false, true},
                               {"24 pixels", 12, 24, 26, 5},
                               {"32 pixels", 12, 32, 34, 5},
                               {"50 faces of 36 to 80 pixels", 50, 36, 80, 5},
                               {"no face", 0, 0, 0}};

torch::Tensor wall(Rng rng) {
  const auto y = torch::arange(kHeight, torch::kFloat32).unsqueeze(1), x = torch::arange(kWidth, torch::kFloat32);
  auto shade = 120 + 40 * torch::sin(x / 400 + rng.uniform(0, 6)) * torch::cos(y / 300);
  for (int i = 0; i < 40; ++i) {
    const double size = rng.uniform(8, 90), at_x = rng.uniform(0, kWidth), at_y = rng.uniform(0, kHeight);
    const auto distance = ((x - at_x).pow(2) / rng.uniform(0.4, 2) + (y - at_y).pow(2)) / (size * size);
    shade = shade + rng.uniform(-60, 60) * torch::exp(-distance.pow(2));
  }
  auto colours = torch::stack({shade * rng.uniform(0.9, 1.1), shade, shade * rng.uniform(0.9, 1.1)});
  return colours.clamp(0, 255);
}

/// A drawn head and how much of each pixel it covers, and the middle and side of its face in it.
struct Head {
  torch::Tensor pixels, cover;  ///< float32 (3,S,S), (S,S)
  double x, y, side;
};

/// The place of a point of the head in a portrait of this size.
std::array<double, 2> place_of(const FaceParameters& face, double x, double y, double size) {
  const double roll = face.pose.roll * drawn::kDegree, down = y - 0.8;
  const double turned_x = std::cos(roll) * x - std::sin(roll) * down;
  const double turned_y = std::sin(roll) * x + std::cos(roll) * down + 0.8;
  const double scale = size / (2 * kHalfWidth);
  return {(turned_x + kHalfWidth) * scale, (turned_y + 2 * kHalfWidth * kEyeLevel) * scale};
}

Head draw_head(FaceParameters face, double box) {
  face.framing = Framing::Portrait;
  face.pose = {face.pose.yaw, face.pose.pitch, face.pose.roll, 1, 0, 0};
  face.camera = {0.55, 0.5, 1, 1, 0, 0};
  const drawn::FaceGeometry geometry(face);
  const Box unit = face_between(place_of(face, 0, 0, 1), place_of(face, 0, geometry.mouth.centre_y, 1));
  const auto size = std::max<int64_t>(16, std::lround(box / unit.width));
  const auto drawn_on = [&](double background) {
    face.camera.background = background;
    return draw_face(face, size, 3).to(torch::kFloat32);
  };
  const auto black = drawn_on(0), white = drawn_on(1);
  const auto difference = (white - black).mean(0);
  const auto cover = 1 - difference / difference.max().clamp_min(1);
  const double scale = static_cast<double>(size);
  return {drawn_on(0.55), cover.clamp(0, 1), unit.centre_x() * scale, unit.centre_y() * scale, unit.width * scale};
}

/// Lays the head with its face's middle at (x, y) over the picture.
void paste(torch::Tensor& picture, const Head& head, double x, double y) {
  const int64_t size = head.cover.size(0), left = std::lround(x - head.x), top = std::lround(y - head.y);
  const int64_t x0 = std::max<int64_t>(0, left), x1 = std::min(kWidth, left + size);
  const int64_t y0 = std::max<int64_t>(0, top), y1 = std::min(kHeight, top + size);
  if (x0 >= x1 || y0 >= y1) return;
  const auto cover = head.cover.slice(0, y0 - top, y1 - top).slice(1, x0 - left, x1 - left);
  const auto pixels = head.pixels.slice(1, y0 - top, y1 - top).slice(2, x0 - left, x1 - left);
  auto place = picture.slice(1, y0, y1).slice(2, x0, x1);
  place.copy_(place * (1 - cover) + pixels * cover);
}

struct Crowd {
  Picture picture;
  std::vector<Box> faces;
};

/// Where face `i` stands: each in a cell of its own, or at the left and right border.
std::array<double, 2> middle_of(const Kind& kind, int64_t i, double side, Rng& rng) {
  if (kind.at_border) {
    const double y = kHeight * (static_cast<double>(i / 2) + 0.5) / 3;  // a quarter of the face is cut off
    return {i % 2 == 0 ? side * 0.25 : kWidth - side * 0.25, y + rng.uniform(-20, 20)};
  }
  const int64_t columns = kind.faces > 12 ? 10 : kind.faces > 6 ? 6 : 3, rows = (kind.faces + columns - 1) / columns;
  const double wide = static_cast<double>(kWidth) / static_cast<double>(columns);
  const double high = static_cast<double>(kHeight) / static_cast<double>(rows);
  const double free_x = std::max(0.0, wide - 1.6 * side) / 2, free_y = std::max(0.0, high - 1.8 * side) / 2;
  return {wide * (static_cast<double>(i % columns) + 0.5) + rng.uniform(-free_x, free_x),
          high * (static_cast<double>(i / columns) + 0.5) + rng.uniform(-free_y, free_y)};
}

Crowd draw_crowd(const Kind& kind, Rng rng) {
  static const std::vector<std::string> shown{"Neutral", "Happy", "Sad", "Surprise", "Angry"};
  auto pixels = wall(rng.split("wall"));
  Crowd crowd;
  for (int64_t i = 0; i < kind.faces; ++i) {
    Rng own = rng.split(static_cast<uint64_t>(i));
    FaceParameters face = random_face(shown[static_cast<size_t>(i) % shown.size()], own.split("face"));
    const double sign = own.uniform(0, 1) < 0.5 ? -1 : 1;
    face.pose.roll = kind.tilted ? sign * kind.roll : own.uniform(-kind.roll, kind.roll);
    const Head head = draw_head(face, own.uniform(kind.smallest, kind.largest));
    const auto [x, y] = middle_of(kind, i, head.side, own);
    paste(pixels, head, x, y);
    crowd.faces.push_back({x - head.side / 2, y - head.side / 2, head.side, head.side});
  }
  crowd.picture = picture_of_image(pixels.round().to(torch::kUInt8));
  return crowd;
}

struct Tally {
  int64_t found = 0, faces = 0, false_boxes = 0;
};

void count(const Crowd& crowd, const std::vector<Box>& boxes, Tally& tally) {
  std::vector<bool> used(boxes.size(), false);
  for (const Box& face : crowd.faces) {
    double best = kSameFace;
    size_t chosen = boxes.size();
    for (size_t b = 0; b < boxes.size(); ++b) {
      const double overlap = intersection_over_union(face, boxes[b]);
      if (used[b] || overlap < best) continue;
      best = overlap;
      chosen = b;
    }
    if (chosen == boxes.size()) continue;
    used[chosen] = true;
    ++tally.found;
  }
  tally.faces += static_cast<int64_t>(crowd.faces.size());
  for (const bool taken : used) tally.false_boxes += taken ? 0 : 1;
}

void print_row(const std::string& detector, double threshold, const Kind& kind, int64_t pictures, const Tally& tally) {
  const std::string recall =
      fmt::format("{} of {}: {}", tally.found, tally.faces, format_share(proportion(tally.found, tally.faces)));
  std::printf("| %s | %g | %s | %s | %lld in %lld |\n", detector.c_str(), threshold, kind.name.c_str(), recall.c_str(),
              static_cast<long long>(tally.false_boxes), static_cast<long long>(pictures));
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  const int64_t pictures = argc > 1 ? parse_integer(argv[1]) : 20;
  const auto seed = static_cast<uint64_t>(argc > 2 ? parse_integer(argv[2]) : 1);
  const std::vector<std::pair<std::string, std::vector<double>>> tried{
      {"haar", {2, 3, 4, 6}}, {argc > 3 ? argv[3] : "", {0.5, 0.6, 0.7, 0.8, 0.9}}};
  std::puts("| detector | threshold | pictures | faces found (%) | boxes without a face, pictures |");
  std::puts("|---|---|---|---|---|");
  for (const auto& kind : kKinds) {
    std::vector<Crowd> crowds;
    for (int64_t i = 0; i < pictures; ++i) {
      crowds.push_back(draw_crowd(kind, Rng(seed).split(kind.name).split(static_cast<uint64_t>(i))));
    }
    for (const auto& [word, thresholds] : tried) {
      if (word.empty()) continue;
      for (const double threshold : thresholds) {
        DetectorSettings settings;
        settings.threshold = threshold;
        const auto detector = make_face_detector(word, settings);
        Tally tally;
        for (const auto& crowd : crowds) count(crowd, detector->find_all(crowd.picture), tally);
        print_row(detector->name(), threshold, kind, pictures, tally);
      }
    }
  }
  return 0;
}
