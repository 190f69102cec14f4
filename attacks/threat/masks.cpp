#include "attacks/threat/masks.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/text.hpp"
#include "data/image.hpp"

namespace fercli {

namespace {

/// In shares of the crop's sides; `twin`: also mirrored at the vertical middle line.
struct Ellipse {
  double x, y, half_width, half_height;
  bool twin;
};

struct Region {
  const char* name;
  Ellipse ellipse;
};

constexpr Region kRegions[] = {
    {"eyes", {0.320, 0.385, 0.140, 0.095, true}},       {"brows", {0.310, 0.270, 0.170, 0.095, true}},
    {"nose", {0.500, 0.555, 0.125, 0.165, false}},      {"mouth", {0.500, 0.785, 0.240, 0.135, false}},
    {"cheeks", {0.245, 0.610, 0.120, 0.120, true}},     {"forehead", {0.500, 0.120, 0.330, 0.115, false}},
    {"chin", {0.500, 0.970, 0.220, 0.080, false}},      {"face", {0.500, 0.460, 0.430, 0.580, false}},
    {"background", {0.500, 0.460, 0.430, 0.580, false}}};
constexpr const char* kComplement = "background";

constexpr int kLight = 128;

torch::Tensor inside(const Ellipse& e, int64_t height, int64_t width) {
  const auto y = ((torch::arange(height, torch::kFloat64) + 0.5) / static_cast<double>(height) - e.y) / e.half_height;
  const auto x = (torch::arange(width, torch::kFloat64) + 0.5) / static_cast<double>(width);
  const auto disc = [&](double centre) {
    return (y.square().unsqueeze(1) + ((x - centre) / e.half_width).square().unsqueeze(0)).le(1);
  };
  return e.twin ? disc(e.x).logical_or(disc(1 - e.x)) : disc(e.x);
}

bool names_a_file(const std::string& word) {
  return word.find_first_of("./\\") != std::string::npos;
}

torch::Tensor read_mask(const std::string& path, int64_t height, int64_t width) {
  const auto image = read_image(path, 1);
  const bool fits = image.size(1) == height && image.size(2) == width;
  return (fits ? image : resize_image(image, height, width))[0].ge(kLight);
}

}  // namespace

const std::vector<std::string>& face_region_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const auto& region : kRegions) all.push_back(region.name);
    return all;
  }();
  return names;
}

torch::Tensor face_region(const std::string& name, int64_t height, int64_t width) {
  for (const auto& region : kRegions) {
    if (name != region.name) continue;
    const auto mask = inside(region.ellipse, height, width);
    return (name == kComplement ? mask.logical_not() : mask).to(torch::kFloat32);
  }
  throw UserError(fmt::format("--mask: unknown part of the face '{}'{} (known: {}; or an image file)", name,
                              did_you_mean(name, face_region_names()), join(face_region_names(), ", ")));
}

torch::Tensor parse_masks(const std::string& text, int64_t channels, int64_t height, int64_t width) {
  auto mask = torch::zeros({height, width}, torch::kBool);
  const auto words = split(text, ',');
  if (words.empty()) throw UserError(fmt::format("--mask: is empty (known: {})", join(face_region_names(), ", ")));
  for (const auto& word : words) {
    mask = mask.logical_or(names_a_file(word) ? read_mask(word, height, width)
                                              : face_region(to_lower(word), height, width).gt(0));
  }
  if (!mask.any().item<bool>()) throw UserError(fmt::format("--mask {}: nothing in it may change", text));
  return mask.to(torch::kFloat32).expand({channels, height, width}).contiguous();
}

}  // namespace fercli
