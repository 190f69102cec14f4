#include "attacks/patch.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>

#include "attacks/engine/adam.hpp"
#include "attacks/engine/annealing.hpp"
#include "attacks/engine/set_learning.hpp"
#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "core/text.hpp"
#include "data/dataset.hpp"

namespace fercli {

namespace {

constexpr int kPatchGrey = 128;

/// Whether there is material at this place of the canvas, both in [0,1].
bool glasses_cover(double x, double y) {
  const double ax = std::abs(x - 0.5), dx = ax - 0.18, dy = y - 0.39;
  const auto ellipse = [&](double width, double height) {
    return (dx / width) * (dx / width) + (dy / height) * (dy / height);
  };
  const bool rim = ellipse(0.155, 0.125) <= 1 && ellipse(0.1, 0.075) > 1;
  const bool bridge = ax < 0.06 && std::abs(dy) < 0.025;
  const bool temple = ax > 0.32 && ax < 0.42 && std::abs(dy) < 0.025;
  return rim || bridge || temple;
}

bool disc_cover(double x, double y) {
  return (x - 0.5) * (x - 0.5) + (y - 0.5) * (y - 0.5) <= 0.25;
}

bool band_cover(double x, double y) {
  return y > 0.04 && y < 0.18 && x > 0.12 && x < 0.88;
}

struct PatchShape {
  const char* name;
  double x, y, size;
  bool (*covers)(double x, double y);
};

constexpr PatchShape kShapes[] = {{"glasses", 0.5, 0.5, 1, glasses_cover},
                                  {"sticker", 0.25, 0.62, 0.27, disc_cover},
                                  {"band", 0.5, 0.5, 1, band_cover}};

const PatchShape& shape_named(const std::string& name) {
  for (const auto& shape : kShapes) {
    if (name == shape.name) return shape;
  }
  throw UserError(fmt::format("unknown patch shape '{}'{} (known: {})", name, did_you_mean(name, patch_shape_names()),
                              join(patch_shape_names(), ", ")));
}

/// One placement on one crop: a linear map from the pixels of the canvas to those of the crop. Crop pixel i shows
/// (1 - cover[i]) of the face and gain * sum of weight * pixel + offset * cover[i] of the patch.
class Placement {
 public:
  Placement(const Patch& patch, int64_t side, const PlacementSpread& spread, Rng rng)
      : canvas_(patch.cover.size(0)), taps_(static_cast<size_t>(side * side)) {
    const auto draw = [&](double reach) { return reach > 0 ? rng.uniform(-reach, reach) : 0; };
    const double centre_x = patch.x + draw(spread.shift), centre_y = patch.y + draw(spread.shift);
    const double size = patch.size * (1 + draw(spread.scale)), turn = draw(spread.turn) * M_PI / 180;
    gain_ = static_cast<float>(1 + draw(spread.brightness));
    offset_ = static_cast<float>(draw(spread.brightness) / 2);
    const double cosine = std::cos(turn) / size, sine = std::sin(turn) / size;
    const auto cover = patch.cover.contiguous();
    for (int64_t row = 0; row < side; ++row) {
      for (int64_t column = 0; column < side; ++column) {
        const double x = (static_cast<double>(column) + 0.5) / static_cast<double>(side) - centre_x;
        const double y = (static_cast<double>(row) + 0.5) / static_cast<double>(side) - centre_y;
        set_taps(taps_[static_cast<size_t>(row * side + column)], cosine * x + sine * y + 0.5,
                 cosine * y - sine * x + 0.5, cover.data_ptr<float>());
      }
    }
  }

  /// One channel: `pixels` (canvas x canvas) over `face` (side x side), in [0,1].
  void paste(const float* pixels, const float* face, float* out) const {
    for (size_t i = 0; i < taps_.size(); ++i) {
      float sum = 0, covered = 0;
      for (const auto& tap : taps_[i]) {
        sum += tap.weight * pixels[tap.place];
        covered += tap.weight;
      }
      out[i] = std::min(1.f, std::max(0.f, face[i] * (1 - covered) + gain_ * sum + offset_ * covered));
    }
  }

  /// Adds what the gradient at the crop means for the pixels. Values cut at 0 or 1 pass nothing back.
  void pull_back(const float* shown, const float* gradient, double* pixels) const {
    for (size_t i = 0; i < taps_.size(); ++i) {
      if (shown[i] <= 0 || shown[i] >= 1) continue;
      for (const auto& tap : taps_[i]) pixels[tap.place] += gain_ * tap.weight * gradient[i];
    }
  }

 private:
  struct Tap {
    int64_t place = 0;
    float weight = 0;  ///< bilinear weight times cover
  };

  void set_taps(std::array<Tap, 4>& taps, double u, double v, const float* cover) const {
    const double x = u * static_cast<double>(canvas_) - 0.5, y = v * static_cast<double>(canvas_) - 0.5;
    const auto left = static_cast<int64_t>(std::floor(x)), top = static_cast<int64_t>(std::floor(y));
    for (int64_t k = 0; k < 4; ++k) {
      const int64_t column = left + k % 2, row = top + k / 2;
      if (column < 0 || row < 0 || column >= canvas_ || row >= canvas_) continue;
      const double weight =
          (1 - std::abs(x - static_cast<double>(column))) * (1 - std::abs(y - static_cast<double>(row)));
      const int64_t place = row * canvas_ + column;
      taps[static_cast<size_t>(k)] = {place, static_cast<float>(weight) * cover[place]};
    }
  }

  int64_t canvas_;
  float gain_, offset_;
  std::vector<std::array<Tap, 4>> taps_;
};

std::vector<Placement> place_all(const Patch& patch, int64_t side, const PlacementSpread& spread, const Rng& rng,
                                 const std::vector<int64_t>& index) {
  std::vector<Placement> placements;
  placements.reserve(index.size());
  for (const int64_t key : index) placements.emplace_back(patch, side, spread, rng.split(static_cast<uint64_t>(key)));
  return placements;
}

/// pixels: float32 (C,S,S); x: float32 (N,C,H,W). The images as they are worn, in [0,1].
torch::Tensor paste_all(const std::vector<Placement>& placements, const torch::Tensor& pixels, const torch::Tensor& x) {
  const auto from = x.contiguous(), patch = pixels.contiguous();
  auto out = torch::empty_like(from);
  for (int64_t i = 0; i < x.size(0); ++i) {
    for (int64_t c = 0; c < x.size(1); ++c) {
      const int64_t plane = (i * x.size(1) + c) * x.size(2) * x.size(3);
      placements[static_cast<size_t>(i)].paste(patch.data_ptr<float>() + c * patch.stride(0),
                                               from.data_ptr<float>() + plane, out.data_ptr<float>() + plane);
    }
  }
  return out;
}

torch::Tensor pull_back_all(const std::vector<Placement>& placements, const torch::Tensor& shown,
                            const torch::Tensor& gradient, torch::IntArrayRef shape) {
  const auto slope = gradient.contiguous();
  auto sum = torch::zeros(shape, torch::kFloat64);
  for (int64_t i = 0; i < shown.size(0); ++i) {
    for (int64_t c = 0; c < shown.size(1); ++c) {
      const int64_t plane = (i * shown.size(1) + c) * shown.size(2) * shown.size(3);
      placements[static_cast<size_t>(i)].pull_back(shown.data_ptr<float>() + plane, slope.data_ptr<float>() + plane,
                                                   sum.data_ptr<double>() + c * sum.stride(0));
    }
  }
  return sum;
}

/// Adam's descent on the pixels, kept in [0,1].
class PixelDescent {
 public:
  explicit PixelDescent(torch::Tensor pixels) : pixels_(std::move(pixels)), adam_(pixels_.to(torch::kFloat64)) {}

  void step(const torch::Tensor& gradient, double size) {
    step_ = step_ + 1;
    pixels_ = (pixels_ - (adam_.direction(gradient, step_) * size).to(torch::kFloat32)).clamp(0, 1);
  }

  const torch::Tensor& pixels() const { return pixels_; }

 private:
  torch::Tensor pixels_, step_ = torch::zeros({}, torch::kFloat64);
  Adam adam_;
};

}  // namespace

const std::vector<std::string>& patch_shape_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const auto& shape : kShapes) all.push_back(shape.name);
    return all;
  }();
  return names;
}

Patch blank_patch(const std::string& name, int64_t channels, int64_t crop_size) {
  const PatchShape& shape = shape_named(name);
  const auto side = std::max<int64_t>(1, std::lround(shape.size * static_cast<double>(crop_size)));
  auto cover = torch::empty({side, side});
  for (int64_t row = 0; row < side; ++row) {
    for (int64_t column = 0; column < side; ++column) {
      const auto at = [&](int64_t place) { return (static_cast<double>(place) + 0.5) / static_cast<double>(side); };
      cover[row][column] = shape.covers(at(column), at(row)) ? 1.0 : 0.0;
    }
  }
  return {name, shape.x, shape.y, shape.size, torch::full({channels, side, side}, kPatchGrey, torch::kUInt8), cover};
}

Patch random_patch(const Patch& like, const Rng& rng) {
  Patch patch = like;
  patch.pixels = to_8bit((uniform_rows(rng, {0}, like.pixels.sizes())[0] + 1) / 2);
  return patch;
}

torch::Tensor wear(const Patch& patch, const torch::Tensor& images, const PlacementSpread& spread, const Rng& rng,
                   const std::vector<int64_t>& index) {
  const auto placements = place_all(patch, images.size(2), spread, rng, index);
  return to_8bit(paste_all(placements, patch.pixels.to(torch::kFloat32) / 255, to_float(images)));
}

Patch learn_patch(const Classifier& classifier, const std::string& shape, const PatchSettings& settings,
                  const torch::Tensor& images, const Goal& goal, const Rng& rng) {
  if (images.size(0) == 0) throw UserError("patch: there are no images to learn from");
  if (images.size(2) != images.size(3)) {
    throw UserError(fmt::format("patch: the images have {}x{} pixels (height x width); a patch is worn on square ones",
                                images.size(2), images.size(3)));
  }
  Patch patch = blank_patch(shape, images.size(1), images.size(2));
  ImageOrder order(images.size(0), settings.images_per_step, rng);
  PixelDescent descent(patch.pixels.to(torch::kFloat32) / 255);
  for (int64_t step = 0; step < settings.steps; ++step) {
    throw_if_interrupted();
    const auto rows = order.next();
    const auto batch = torch::tensor(rows, torch::kInt64);
    const auto placements =
        place_all(patch, images.size(2), settings.spread, rng.split("place").split(static_cast<uint64_t>(step)), rows);
    const auto shown = paste_all(placements, descent.pixels(), to_float(images.index_select(0, batch)));
    const auto line = classifier.linearize(shown);
    const auto lost = loss_of_the_unfinished(margin_loss, line.logits, goal.select(batch));
    descent.step(pull_back_all(placements, shown, line.pullback(lost.gradient), patch.pixels.sizes()),
                 annealed(settings.step_size, 0, step, settings.steps));
    if (settings.progress) settings.progress(step, lost.value.to(torch::kFloat64).mean().item<double>());
  }
  patch.pixels = to_8bit(descent.pixels());
  return patch;
}

torch::Tensor printable(const Patch& patch) {
  return torch::where(patch.cover.gt(0), patch.pixels, torch::full_like(patch.pixels, 255));
}

}  // namespace fercli
