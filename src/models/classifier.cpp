#include "models/classifier.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/autograd.h>

#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "models/networks/network_model.hpp"

namespace fercli {

namespace {

/// Images per network call: enough to fill the cores, small enough to stay in cache.
constexpr int64_t kChunk = 64;
/// Ten-crop views are this share of the image's side, enlarged to the full side.
constexpr double kCropShare = 44.0 / 48.0;

torch::Tensor per_channel(const std::vector<double>& values, torch::Device device) {
  return torch::tensor(values, torch::kFloat32).view({1, -1, 1, 1}).to(device);
}

torch::Tensor resized(const torch::Tensor& x, int64_t height, int64_t width) {
  if (x.size(2) == height && x.size(3) == width) return x;
  return at::upsample_bilinear2d(x, {height, width}, /*align_corners=*/false);
}

/// The views of test-time augmentation, each shaped like x.
std::vector<torch::Tensor> views(const torch::Tensor& x, Tta tta) {
  if (tta == Tta::None) return {x};
  if (tta == Tta::Flip) return {x, x.flip({3})};
  std::vector<torch::Tensor> crops;
  const int64_t side = x.size(2), crop = static_cast<int64_t>(side * kCropShare + 0.5), far = side - crop;
  const std::pair<int64_t, int64_t> corners[] = {{0, 0}, {0, far}, {far, 0}, {far, far}, {far / 2, far / 2}};
  for (const auto& [top, left] : corners) {
    crops.push_back(resized(x.slice(2, top, top + crop).slice(3, left, left + crop), side, side));
    crops.push_back(crops.back().flip({3}));
  }
  return crops;
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

Classifier::Classifier(std::shared_ptr<Network> network, std::string arch, NetworkOptions options,
                       Preprocessing preprocessing, LabelSet classes, Precision precision, torch::Device device)
    : Classifier(std::make_shared<NetworkModel>(std::move(network), arch, options), arch, options,
                 std::move(preprocessing), std::move(classes), precision, device) {}

Classifier::Classifier(std::shared_ptr<const Model> model, std::string arch, NetworkOptions options,
                       Preprocessing preprocessing, LabelSet classes, Precision precision, torch::Device device)
    : model_(std::move(model)),
      arch_(std::move(arch)),
      options_(std::move(options)),
      preprocessing_(std::move(preprocessing)),
      classes_(std::move(classes)),
      precision_(model_->supports(precision) ? precision : Precision::Float32),
      device_(device) {
  executor_ = model_->executor(precision_, device_);
}

std::shared_ptr<Network> Classifier::network() const {
  if (auto network = model_->network()) return network;
  throw UserError(fmt::format("a model imported from a foreign file ({}) has no trainable network", arch_));
}

Classifier Classifier::with_precision(Precision precision) const {
  Classifier copy = *this;
  if (!model_->supports(precision)) precision = Precision::Float32;
  if (precision == precision_) return copy;
  copy.precision_ = precision;
  copy.executor_ = model_->executor(precision, device_);
  return copy;
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

torch::Tensor Classifier::prepare(const torch::Tensor& x) const {
  auto input = x.to(device_);
  if (input.size(1) != preprocessing_.channels) {
    if (preprocessing_.channels == 3) {
      input = input.expand({-1, 3, -1, -1});
    } else {
      input = (input * per_channel({0.299, 0.587, 0.114}, device_)).sum(1, /*keepdim=*/true);  // ITU-R BT.601
    }
  }
  const int64_t height = preprocessing_.size, width = preprocessing_.columns(), side = preprocessing_.crop_from;
  if (side > 0) {
    input = resized(input, side, side);
    input = input.slice(2, (side - height) / 2, (side - height) / 2 + height)
                .slice(3, (side - width) / 2, (side - width) / 2 + width);
  } else {
    input = resized(input, height, width);
  }
  input = (input - per_channel(preprocessing_.mean, device_)) / per_channel(preprocessing_.std, device_);
  return input.to(scalar_type(precision_)).contiguous(torch::MemoryFormat::ChannelsLast);
}

/// One chunk. oneDNN takes another algorithm for a batch of one, with other roundings: such an image is sent twice, so
/// that its bits do not depend on the company it is in.
torch::Tensor Classifier::run(const torch::Tensor& x) const {
  throw_if_late();
  const bool alone = x.size(0) == 1;
  torch::Tensor sum;
  const auto all = views(alone ? x.expand({2, -1, -1, -1}) : x, tta_);
  for (const auto& view : all) {
    const auto logits = executor_->forward(prepare(view)).to(torch::kFloat32);
    sum = sum.defined() ? sum + logits : logits;
  }
  if (all.size() > 1) sum = sum / static_cast<double>(all.size());
  return (alone ? sum.slice(0, 0, 1) : sum).to(torch::kCPU);
}

torch::Tensor Classifier::logits(const torch::Tensor& x) const {
  const torch::NoGradGuard no_grad;
  std::vector<torch::Tensor> parts{torch::empty({0, classes_.size()})};
  for (int64_t begin = 0; begin < x.size(0); begin += kChunk) {
    parts.push_back(run(x.slice(0, begin, std::min(begin + kChunk, x.size(0)))));
  }
  counters_->forward += x.size(0);
  return torch::cat(parts);
}

Linearization Classifier::linearize(const torch::Tensor& x, bool keep_graph) const {
  const torch::AutoGradMode with_grad(true);
  std::vector<torch::Tensor> inputs, outputs;
  for (int64_t begin = 0; begin < x.size(0); begin += kChunk) {
    inputs.push_back(x.slice(0, begin, std::min(begin + kChunk, x.size(0))).detach().requires_grad_(true));
    outputs.push_back(run(inputs.back()));
  }
  counters_->forward += x.size(0);
  std::vector<torch::Tensor> logits{torch::empty({0, classes_.size()})};
  for (const auto& output : outputs) logits.push_back(output.detach());
  const auto sizes = x.sizes().vec();
  return {torch::cat(logits), [inputs, outputs, keep_graph, sizes, counters = counters_](const torch::Tensor& dlogits) {
            std::vector<torch::Tensor> gradients;
            int64_t begin = 0;
            for (size_t i = 0; i < inputs.size(); ++i) {
              const int64_t end = begin + inputs[i].size(0);
              gradients.push_back(
                  torch::autograd::grad({outputs[i]}, {inputs[i]}, {dlogits.slice(0, begin, end)}, keep_graph)[0]);
              begin = end;
            }
            counters->backward += sizes[0];
            return gradients.empty() ? torch::zeros(sizes) : torch::cat(gradients).contiguous();
          }};
}

}  // namespace fercli
