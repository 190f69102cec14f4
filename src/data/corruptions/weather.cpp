// Weather of the common corruptions: strengths of Tiny-ImageNet-C, lengths in pixels of a 64×64 image, here times
// side/64.
//
//   snow        mean and deviation of the flakes' layer, its zoom, threshold, radius and sigma of its motion, share
//   kept
//               .1 .2 1 .6 8 3 .8   .1 .2 1 .5 10 4 .8   .15 .3 1.75 .55 10 4 .7   .25 .3 2.25 .6 12 6 .65
//               .3 .3 1.25 .65 14 12 .6
//   frost       shares of image and frost   1 .3   .9 .4   .8 .45   .75 .5   .7 .55
//   fog         thickness, decay            .4 3   .7 3   1 2.5   1.5 2   2 1.75
//   brightness  added to the value          .1   .2   .3   .4   .5
//
// Differences from the authors' program. Frost: there, crops of six photographs of frost are laid over the image; here
// a texture is computed, ridges of fractal noise like crystals on a cloud, so that these figures cannot be compared
// with published ones. Snow: the layer is not rounded to 8 bits in between; flakes are at least a pixel of the layer
// wide. Brightness: value is the largest channel; the others keep their ratio to it (hue and saturation).
#include "data/corruptions/corruption.hpp"
#include "data/corruptions/filters.hpp"

namespace fercli::corruptions_weather {

namespace {

struct Snow {
  double mean, deviation, zoom, threshold, radius, sigma, kept;
};
constexpr std::array<Snow, kSeverities> kSnow{{{0.1, 0.2, 1, 0.6, 8, 3, 0.8},
                                               {0.1, 0.2, 1, 0.5, 10, 4, 0.8},
                                               {0.15, 0.3, 1.75, 0.55, 10, 4, 0.7},
                                               {0.25, 0.3, 2.25, 0.6, 12, 6, 0.65},
                                               {0.3, 0.3, 1.25, 0.65, 14, 12, 0.6}}};

struct Frost {
  double image, frost;
};
constexpr std::array<Frost, kSeverities> kFrost{{{1, 0.3}, {0.9, 0.4}, {0.8, 0.45}, {0.75, 0.5}, {0.7, 0.55}}};
constexpr double kCloudDecay = 1.6, kRidgeDecay = 1.35, kRidgeSharpness = 4, kRidgeShare = 0.6;

struct Fog {
  double thickness, decay;
};
constexpr std::array<Fog, kSeverities> kFog{{{0.4, 3}, {0.7, 3}, {1, 2.5}, {1.5, 2}, {2, 1.75}}};

constexpr std::array<double, kSeverities> kBrightness{0.1, 0.2, 0.3, 0.4, 0.5};

torch::Tensor grey_of(const torch::Tensor& image) {
  if (image.size(0) == 1) return image;
  return image.slice(0, 0, 1) * 0.299 + image.slice(0, 1, 2) * 0.587 + image.slice(0, 2, 3) * 0.114;  // ITU-R BT.601
}

/// (1,H,W): streaks of falling flakes.
torch::Tensor flakes(const torch::Tensor& image, const Snow& snow, Rng& rng) {
  const double scale = length_scale(image), angle = rng.uniform(-135, -45);
  auto layer = torch::empty({1, image.size(1), image.size(2)}, torch::kFloat32);
  auto* value = layer.data_ptr<float>();
  for (int64_t i = 0; i < layer.numel(); ++i) value[i] = static_cast<float>(snow.mean + snow.deviation * rng.normal());
  layer = zoomed(layer, std::max(1.0, snow.zoom * scale));
  layer = layer.masked_fill(layer.lt(snow.threshold), 0).clamp(0, 1).contiguous();
  return motion_blurred(layer, snow.radius * scale, snow.sigma * scale, angle);
}

torch::Tensor snow(const torch::Tensor& image, int64_t severity, Rng& rng) {
  const Snow& parameters = kSnow[severity - 1];
  const auto layer = flakes(image, parameters, rng);
  const auto white = torch::maximum(image, grey_of(image) * 1.5 + 0.5);
  return image * parameters.kept + white * (1 - parameters.kept) + layer + layer.flip({1, 2});
}

torch::Tensor frost(const torch::Tensor& image, int64_t severity, Rng& rng) {
  const auto [image_share, frost_share] = kFrost[severity - 1];
  const auto cloud = plasma(image.size(1), image.size(2), kCloudDecay, rng);
  const auto rough = plasma(image.size(1), image.size(2), kRidgeDecay, rng);
  const auto ridges = (1 - (rough * 2 - 1).abs()).pow(kRidgeSharpness);
  return image * image_share + (cloud * (1 - kRidgeShare) + ridges * kRidgeShare) * frost_share;
}

torch::Tensor fog(const torch::Tensor& image, int64_t severity, Rng& rng) {
  const auto [thickness, decay] = kFog[severity - 1];
  const double white = image.max().item<float>();
  return (image + plasma(image.size(1), image.size(2), decay, rng) * thickness) * (white / (white + thickness));
}

torch::Tensor brightness(const torch::Tensor& image, int64_t severity, Rng&) {
  const auto value = image.amax(0, /*keepdim=*/true);
  const auto brighter = (value + kBrightness[severity - 1]).clamp_max(1);
  return torch::where(value.gt(0), image * (brighter / value.clamp_min(1e-6)), brighter);
}

const Register<Corruption> snow_entry{{"snow", "weather", 7, snow}};
const Register<Corruption> frost_entry{{"frost", "weather", 8, frost}};
const Register<Corruption> fog_entry{{"fog", "weather", 9, fog}};
const Register<Corruption> brightness_entry{{"brightness", "weather", 10, brightness}};

}  // namespace

}  // namespace fercli::corruptions_weather
