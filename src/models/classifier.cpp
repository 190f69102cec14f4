#include "models/classifier.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "models/networks/network_model.hpp"

namespace fercli {

namespace {

/// Images per network call: enough to fill the cores, small enough to stay in cache.
constexpr int64_t kChunk = 64;
/// Ten-crop views of a network that was trained on whole images are this share of their side, enlarged to the full
/// side.
constexpr double kCropShare = 44.0 / 48.0;

/// The corners and the middle.
std::vector<torch::Tensor> five_crops(const torch::Tensor& x, int64_t side) {
  std::vector<torch::Tensor> crops;
  const int64_t bottom = x.size(2) - side, right = x.size(3) - side;
  for (const auto& [top, left] :
       {std::pair<int64_t, int64_t>{0, 0}, {0, right}, {bottom, 0}, {bottom, right}, {bottom / 2, right / 2}}) {
    crops.push_back(x.slice(2, top, top + side).slice(3, left, left + side));
  }
  return crops;
}

/// Each followed by its mirror image.
std::vector<torch::Tensor> with_mirror_images(const std::vector<torch::Tensor>& views) {
  std::vector<torch::Tensor> all;
  for (const auto& view : views) {
    all.push_back(view);
    all.push_back(view.flip({3}));
  }
  return all;
}

/// The views of test-time augmentation, each shaped like x.
std::vector<torch::Tensor> views(const torch::Tensor& x, Tta tta) {
  if (tta == Tta::None) return {x};
  if (tta == Tta::Flip) return with_mirror_images({x});
  const int64_t side = x.size(2);
  auto crops = five_crops(x, std::lround(static_cast<double>(side) * kCropShare));
  for (auto& crop : crops) crop = resized(crop, side, side);
  return with_mirror_images(crops);
}

/// Over the views, of so many images.
torch::Tensor mean_logits(const std::vector<torch::Tensor>& of_views, int64_t images) {
  auto sum = of_views.front();
  for (size_t i = 1; i < of_views.size(); ++i) sum = sum + of_views[i];
  if (of_views.size() > 1) sum = sum / static_cast<double>(of_views.size());
  return sum.slice(0, 0, images).to(torch::kCPU);
}

}  // namespace

Tta parse_tta(const std::string& word) {
  if (word == "none") return Tta::None;
  if (word == "flip") return Tta::Flip;
  if (word == "ten-crop") return Tta::TenCrop;
  throw UserError(fmt::format("--tta {}: must be none, flip or ten-crop", word));
}

const char* to_string(Tta tta) {
  switch (tta) {
    case Tta::None:
      return "none";
    case Tta::Flip:
      return "flip";
    case Tta::TenCrop:
      return "ten-crop";
  }
  return "";
}

Classifier::Classifier(std::shared_ptr<Network> network, NetworkSpec spec, const Execution& execution)
    : Classifier(std::make_shared<NetworkModel>(std::move(network), spec.arch, spec.options), spec, execution) {}

Classifier::Classifier(std::shared_ptr<const Model> model, NetworkSpec spec, const Execution& execution)
    : model_(std::move(model)), spec_(std::move(spec)), execution_(execution) {
  if (!model_->supports(execution_)) execution_.precision = Precision::Float32;
  executor_ = model_->executor(execution_);
}

std::shared_ptr<Network> Classifier::network() const {
  if (auto network = model_->network()) return network;
  throw UserError(fmt::format("a model imported from a foreign file ({}) has no trainable network", arch()));
}

Classifier Classifier::with_precision(Precision precision) const {
  Execution execution = execution_;
  execution.precision = precision;
  Classifier other(model_, spec_, execution);
  other.tta_ = tta_;
  other.counters_ = counters_;
  return other;
}

Classifier Classifier::with_tta(Tta tta) const {
  Classifier copy = *this;
  copy.tta_ = tta;
  return copy;
}

int64_t Classifier::forwards() const {
  return counters_->forward;
}
int64_t Classifier::backwards() const {
  return counters_->backward;
}

/// The network's inputs, one for each view of test-time augmentation. oneDNN takes another algorithm for a batch of
/// one, with other roundings: such an image is sent twice, so that its bits do not depend on the company it is in;
/// as a copy, since resizing rounds otherwise where a stride is 0.
std::vector<torch::Tensor> Classifier::inputs(const torch::Tensor& x) const {
  throw_if_late();
  const auto images = (x.size(0) == 1 ? torch::cat({x, x}) : x).to(device());
  const auto type = scalar_type(precision());
  std::vector<torch::Tensor> all;
  if (tta_ == Tta::TenCrop && spec_.window > 0) {
    all = with_mirror_images(five_crops(preprocessing().input(images, type), spec_.window));
    for (auto& view : all) view = view.contiguous(torch::MemoryFormat::ChannelsLast);
  } else {
    all = views(images, tta_);
    for (auto& view : all) view = preprocessing().input(view, type);
  }
  return all;
}

torch::Tensor Classifier::logits(const torch::Tensor& x) const {
  return forward(x, &Executor::logits);
}

torch::Tensor Classifier::quick_logits(const torch::Tensor& x) const {
  return forward(x, &Executor::quick_logits);
}

torch::Tensor Classifier::forward(const torch::Tensor& x, LogitsOf logits_of) const {
  const torch::NoGradGuard no_grad;
  std::vector<torch::Tensor> parts{torch::empty({0, classes().size()})};
  for (int64_t begin = 0; begin < x.size(0); begin += kChunk) {
    const auto chunk = x.slice(0, begin, std::min(begin + kChunk, x.size(0)));
    std::vector<torch::Tensor> of_views;
    for (const auto& input : inputs(chunk)) of_views.push_back(((*executor_).*logits_of)(input));
    parts.push_back(mean_logits(of_views, chunk.size(0)));
  }
  counters_->forward += x.size(0);
  return torch::cat(parts);
}

Linearization Classifier::linearize_chunk(const torch::Tensor& x, bool keep_graph) const {
  const torch::AutoGradMode with_grad(true);
  const auto leaf = x.detach().requires_grad_(true);
  const auto prepared = inputs(leaf);
  std::vector<Pass> passes;
  std::vector<torch::Tensor> of_views;
  for (const auto& input : prepared) {
    passes.push_back(executor_->run(input, keep_graph));
    of_views.push_back(passes.back().logits);
  }
  return {mean_logits(of_views, x.size(0)), [leaf, prepared, passes, keep_graph](const torch::Tensor& dlogits) {
            auto of_view = dlogits.to(prepared.front().device());
            if (passes.size() > 1) of_view = of_view / static_cast<double>(passes.size());
            if (of_view.size(0) == 1) of_view = torch::cat({of_view, torch::zeros_like(of_view)});  // sent twice
            std::vector<torch::Tensor> gradients;
            gradients.reserve(passes.size());
            for (const auto& pass : passes) gradients.push_back(pass.pullback(of_view));
            return torch::autograd::grad(prepared, {leaf}, gradients, keep_graph)[0];
          }};
}

Linearization Classifier::linearize(const torch::Tensor& x, bool keep_graph) const {
  std::vector<Linearization> chunks;
  std::vector<torch::Tensor> logits{torch::empty({0, classes().size()})};
  for (int64_t begin = 0; begin < x.size(0); begin += kChunk) {
    chunks.push_back(linearize_chunk(x.slice(0, begin, std::min(begin + kChunk, x.size(0))), keep_graph));
    logits.push_back(chunks.back().logits);
  }
  counters_->forward += x.size(0);
  return {torch::cat(logits), [chunks, counters = counters_, sizes = x.sizes().vec()](const torch::Tensor& dlogits) {
            std::vector<torch::Tensor> gradients{torch::zeros({0, sizes[1], sizes[2], sizes[3]})};
            int64_t begin = 0;
            for (const auto& chunk : chunks) {
              const int64_t end = begin + chunk.logits.size(0);
              gradients.push_back(chunk.pullback(dlogits.slice(0, begin, end)));
              begin = end;
            }
            counters->backward += sizes[0];
            return torch::cat(gradients).contiguous();
          }};
}

}  // namespace fercli
