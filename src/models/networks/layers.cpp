#include "models/networks/layers.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>

#include "models/kernels/bfloat16_emulation.hpp"
#include "models/kernels/fused_conv.hpp"
#include "models/networks/bound_pass.hpp"

namespace fercli {

namespace {

constexpr double kBatchNormMomentum = 0.1;
constexpr double kBatchNormEps = 1e-5;

torch::Tensor cast(const torch::Tensor& parameter, const torch::Tensor& like) {
  return parameter.defined() && parameter.scalar_type() != like.scalar_type() ? parameter.to(like.scalar_type())
                                                                              : parameter;
}

torch::Tensor normal_weights(const Rng& rng, torch::IntArrayRef shape, double deviation) {
  return normal_rows(rng, {0}, shape)[0] * deviation;
}

void overwrite(torch::Tensor& parameter, const torch::Tensor& value) {
  const torch::NoGradGuard no_grad;
  parameter.copy_(value);
}

int64_t element_count(const torch::nn::Module& module) {
  int64_t count = 0;
  for (const auto& parameter : module.parameters()) count += parameter.numel();
  return count;
}

/// A layer's parameters; `weight` alone is always there.
struct LayerWeights {
  const torch::Tensor &weight, &bias, &scale, &shift;
  torch::Tensor mean, variance;  ///< running
  bool trains;
};

/// What BatchNorm multiplies by and adds, by the statistics of `y` in training, which move the running ones.
std::pair<torch::Tensor, torch::Tensor> norm_of(const LayerWeights& layer, const torch::Tensor& y) {
  auto mean = layer.mean, variance = layer.variance;
  if (layer.trains) {
    std::vector<int64_t> axes{0};
    for (int64_t axis = 2; axis < y.dim(); ++axis) axes.push_back(axis);
    std::tie(variance, mean) = at::var_mean(y, axes, /*unbiased=*/false);
    const torch::NoGradGuard no_grad;
    const int64_t of_channel = y.numel() / y.size(1);
    const auto count = static_cast<double>(of_channel);
    torch::Tensor(layer.mean).lerp_(mean, kBatchNormMomentum);
    torch::Tensor(layer.variance).lerp_(variance * (count / std::max(count - 1, 1.0)), kBatchNormMomentum);
  }
  const auto factor = layer.scale / (variance + kBatchNormEps).sqrt();
  std::vector<int64_t> shape(static_cast<size_t>(y.dim()), 1);
  shape[1] = -1;
  return {factor.view(shape), (layer.shift - mean * factor).view(shape)};
}

/// In a BoundPass: x, and what comes out, are (3N,…). work(x, weight, bias): the layer's sums of products.
template <class Work>
torch::Tensor carry_bounds(const torch::Tensor& x, const LayerWeights& layer, const Work& work) {
  const auto thirds = x.chunk(3);
  const auto linear = work(at::cat({thirds[0], (thirds[1] + thirds[2]) / 2}), layer.weight, layer.bias).chunk(2);
  auto y = linear[0], middle = linear[1];
  auto reach = work((thirds[2] - thirds[1]) / 2, layer.weight.abs(), torch::Tensor());
  if (layer.scale.defined()) {
    const auto [factor, offset] = norm_of(layer, y);
    y = y * factor + offset;
    middle = middle * factor + offset;
    reach = reach * factor.abs();
  }
  return at::cat({y, middle - reach, middle + reach});
}

}  // namespace

Conv::Conv(int64_t in, int64_t out, int64_t kernel, ConvOptions options)
    : in_(in), out_(out), kernel_(kernel), options_(options) {
  if (options_.padding < 0) options_.padding = kernel / 2;
  weight_ = register_parameter(
      "weight",
      torch::empty({out, in / options_.groups, kernel, kernel}).contiguous(torch::MemoryFormat::ChannelsLast));
  if (!options_.batch_norm) {
    bias_ = register_parameter("bias", torch::zeros({out}));
    return;
  }
  scale_ = register_parameter("scale", torch::ones({out}));
  shift_ = register_parameter("shift", torch::zeros({out}));
  running_mean_ = register_buffer("running_mean", torch::zeros({out}));
  running_var_ = register_buffer("running_var", torch::ones({out}));
}

void Conv::initialise(Rng rng) {
  // Fan-in, not fan-out: BatchNorm hides the scale from the forward pass, but a stem with a single input channel would
  // start with weights so small that the first steps at a usual learning rate only shake it.
  const double fan_in = static_cast<double>(in_) / options_.groups * kernel_ * kernel_;
  overwrite(weight_, normal_weights(rng, weight_.sizes(), std::sqrt(2.0 / fan_in)));
}

torch::Tensor Conv::forward(const torch::Tensor& x) {
  return run(x, {});
}

torch::Tensor Conv::forward(const torch::Tensor& x, const torch::Tensor& shortcut) {
  return run(x, shortcut);
}

torch::Tensor Conv::run(const torch::Tensor& x, const torch::Tensor& shortcut) {
  const auto begun = Clock::now();
  const bool fused =
      fast_ && BoundPass::active() == nullptr && fits_fast_conv(x) && (fast_bias_.defined() || is_training());
  auto y = fused ? run_fused(x, shortcut) : run_unfused(x, shortcut);
  if (LayerTrace* trace = LayerTrace::active()) record(*trace, begun, y);
  return y;
}

torch::Tensor Conv::run_fused(const torch::Tensor& x, const torch::Tensor& shortcut) {
  const bool relu = options_.activation == Activation::Relu;
  if (fast_bias_.defined()) return fused_conv(fast_, x, fast_bias_, shortcut, relu);
  const BatchNorm norm{scale_, shift_, running_mean_, running_var_, kBatchNormMomentum, kBatchNormEps};
  return fused_conv(fast_, x, weight_, norm, shortcut, relu);
}

torch::Tensor Conv::run_unfused(const torch::Tensor& x, const torch::Tensor& shortcut) {
  const auto convolve = [this](const torch::Tensor& input, const torch::Tensor& weight, const torch::Tensor& bias) {
    return at::conv2d(input, weight, bias, options_.stride, options_.padding, 1, options_.groups);
  };
  torch::Tensor y;
  if (BoundPass::active() != nullptr) {
    y = carry_bounds(x, {weight_, bias_, scale_, shift_, running_mean_, running_var_, is_training()}, convolve);
  } else {
    y = with_bfloat16_emulated(x, cast(weight_, x), cast(bias_, x), convolve);
    if (scale_.defined()) {
      y = at::batch_norm(y, scale_, shift_, running_mean_, running_var_, is_training(), kBatchNormMomentum,
                         kBatchNormEps, /*cudnn_enabled=*/true);
    }
  }
  if (shortcut.defined()) y = y.add_(shortcut);
  return options_.activation == Activation::Relu ? y.relu_() : y;
}

void Conv::accelerate_training() {
  if (options_.batch_norm && options_.groups == 1) {
    fast_ = make_fast_conv({in_, out_, kernel_, options_.stride, options_.padding});
  }
}

void Conv::prepare_inference(torch::ScalarType type) {
  const torch::NoGradGuard no_grad;
  auto weight = weight_.detach();
  auto bias = bias_.defined() ? bias_.detach() : torch::Tensor();
  if (scale_.defined()) {
    const auto factor = scale_ / (running_var_ + kBatchNormEps).sqrt();
    weight = weight * factor.view({-1, 1, 1, 1});
    bias = shift_ - running_mean_ * factor;
    scale_ = shift_ = running_mean_ = running_var_ = torch::Tensor();
  }
  weight_.set_data(weight.to(type).contiguous(torch::MemoryFormat::ChannelsLast));
  if (!bias_.defined()) bias_ = register_parameter("bias", torch::empty(0), /*requires_grad=*/false);
  bias_.set_data(bias.to(type));
  if (options_.groups > 1) return;
  fast_ = make_fast_conv({in_, out_, kernel_, options_.stride, options_.padding});
  if (!fast_) return;
  fast_->set_weight(weight);
  fast_bias_ = bias.to(torch::kFloat32);
}

void Conv::record(LayerTrace& trace, Clock::time_point begun, const torch::Tensor& output) const {
  const int64_t taps = in_ / options_.groups * kernel_ * kernel_;
  const int64_t pixels = output.size(2) * output.size(3);
  const std::string kind = fmt::format(
      "{} {}x{}/{} {}->{}{}{}", options_.groups > 1 ? "Depthwise conv" : "Conv", kernel_, kernel_, options_.stride, in_,
      out_, options_.batch_norm ? ", BatchNorm" : "", options_.activation == Activation::Relu ? ", ReLU" : "");
  trace.add({this, "", kind, {}, element_count(*this), 2 * taps * out_ * pixels}, begun, output);
}

Dense::Dense(int64_t in, int64_t out, Role role, bool batch_norm) : in_(in), out_(out), role_(role) {
  weight_ = register_parameter("weight", torch::empty({out, in}));
  bias_ = register_parameter("bias", torch::zeros({out}));
  if (!batch_norm) return;
  scale_ = register_parameter("scale", torch::ones({out}));
  shift_ = register_parameter("shift", torch::zeros({out}));
  running_mean_ = register_buffer("running_mean", torch::zeros({out}));
  running_var_ = register_buffer("running_var", torch::ones({out}));
}

void Dense::initialise(Rng rng) {
  const double gain = role_ == Role::Hidden ? 2.0 : 1.0;
  overwrite(weight_, normal_weights(rng, weight_.sizes(), std::sqrt(gain / static_cast<double>(in_))));
}

torch::Tensor Dense::bounded(const torch::Tensor& x) {
  BoundPass& pass = *BoundPass::active();
  if (gives_logits()) return pass.margins(x, weight_, bias_);
  const auto multiply = [](const torch::Tensor& features, const torch::Tensor& weight, const torch::Tensor& bias) {
    return at::linear(features, weight, bias);
  };
  const auto y =
      carry_bounds(x, {weight_, bias_, scale_, shift_, running_mean_, running_var_, is_training()}, multiply);
  return role_ == Role::Hidden ? y.relu() : y;
}

torch::Tensor Dense::forward(const torch::Tensor& x) {
  if (BoundPass::active() != nullptr) return bounded(x);
  const auto begun = Clock::now();
  const auto input = role_ == Role::Output ? x.to(torch::kFloat32) : x;
  // The stride means nothing on one pixel, but with it LibTorch takes oneDNN always; without it small batches on a
  // single thread go another way, with other roundings.
  const auto multiply = [](const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias) {
    return at::conv2d(x, weight, bias, /*stride=*/2);
  };
  auto y = with_bfloat16_emulated(input.view({-1, in_, 1, 1}), cast(weight_, input).view({out_, in_, 1, 1}),
                                  cast(bias_, input), multiply)
               .flatten(1);
  if (scale_.defined()) {
    y = at::batch_norm(y, scale_, shift_, running_mean_, running_var_, is_training(), kBatchNormMomentum, kBatchNormEps,
                       /*cudnn_enabled=*/true);
  }
  if (role_ == Role::Hidden) y = y.relu_();
  if (LayerTrace* trace = LayerTrace::active()) {
    const auto kind = fmt::format("Dense {}->{}{}{}", in_, out_, scale_.defined() ? ", BatchNorm" : "",
                                  role_ == Role::Hidden ? ", ReLU" : "");
    trace->add({this, "", kind, {}, element_count(*this), 2 * in_ * out_}, begun, y);
  }
  return y;
}

void Dense::prepare_inference(torch::ScalarType type) {
  const torch::NoGradGuard no_grad;
  const auto target = role_ == Role::Output ? torch::kFloat32 : type;
  auto weight = weight_.detach(), bias = bias_.detach();
  if (scale_.defined()) {
    const auto factor = scale_ / (running_var_ + kBatchNormEps).sqrt();
    weight = weight * factor.view({-1, 1});
    bias = (bias - running_mean_) * factor + shift_;
    scale_ = shift_ = running_mean_ = running_var_ = torch::Tensor();
  }
  weight_.set_data(weight.to(target).contiguous());
  bias_.set_data(bias.to(target));
}

bool Dense::gives_logits() const {
  return role_ == Role::Output && !scale_.defined();
}

void Dense::scale_output(double factor) {
  const torch::NoGradGuard no_grad;
  weight_.mul_(factor);
  bias_.mul_(factor);
}

torch::Tensor max_pool(const torch::Tensor& x, int64_t kernel, int64_t stride, int64_t padding) {
  return at::max_pool2d(x, {kernel, kernel}, {stride, stride}, {padding, padding});
}

torch::Tensor global_average(const torch::Tensor& x) {
  return x.to(torch::kFloat32).mean({2, 3});
}

}  // namespace fercli
