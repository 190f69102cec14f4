#include "models/kernels/fused_conv.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include "core/step_times.hpp"
#include "models/kernels/element_type.hpp"
#include "models/kernels/nhwc_kernels.hpp"

namespace fercli {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

/// Parts in which per-channel sums are made; fixed, so that the bits do not hang on the number of threads.
constexpr int64_t kParts = 16;
constexpr int64_t kGrain = 1 << 14;

thread_local bool rounds_quickly = false;

template <class T>
T* data(const torch::Tensor& x) {
  return static_cast<T*>(x.data_ptr());
}

torch::Tensor channels_last(const torch::Tensor& x) {
  return x.contiguous(torch::MemoryFormat::ChannelsLast);
}

int64_t pixels(const torch::Tensor& x) {
  return x.numel() / x.size(1);
}

torch::Tensor gate_by_output(const torch::Tensor& dy, const torch::Tensor& y) {
  auto dx = at::empty_like(dy);
  with_type(dy, [&](auto type) {
    using T = decltype(type);
    at::parallel_for(0, dy.numel(), kGrain, [&](int64_t begin, int64_t end) {
      relu_gradient(data<T>(dy) + begin, data<T>(y) + begin, data<T>(dx) + begin, end - begin);
    });
  });
  return dx;
}

/// work(first_row, rows, sums, other_sums) for each part -> float64 (2,C), the two sums over all parts.
template <class Work>
torch::Tensor channel_sums(int64_t rows, int64_t channels, const Work& work) {
  const auto sums = torch::zeros({kParts, 2, channels}, torch::kFloat64);
  const int64_t step = (rows + kParts - 1) / kParts;
  at::parallel_for(0, kParts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t part = begin; part < end; ++part) {
      const int64_t first = std::min(rows, part * step), last = std::min(rows, first + step);
      double* place = sums.data_ptr<double>() + part * 2 * channels;
      work(first, last - first, place, place + channels);
    }
  });
  return sums.sum(0);
}

template <class Work>
void in_parallel_rows(int64_t rows, int64_t channels, const Work& work) {
  at::parallel_for(0, rows, std::max<int64_t>(1, kGrain / channels),
                   [&](int64_t begin, int64_t end) { work(begin, end - begin); });
}

/// Autograd functions take no undefined tensors: an empty one stands for no shortcut.
torch::Tensor present(const torch::Tensor& shortcut) {
  return shortcut.defined() ? shortcut : torch::empty({0});
}

torch::Tensor absent_if_empty(const torch::Tensor& shortcut) {
  return shortcut.numel() > 0 ? channels_last(shortcut) : torch::Tensor();
}

FastConv& conv_of(AutogradContext* context) {
  return static_cast<FastConv&>(*context->saved_data.at("conv").toCapsule());
}

torch::Tensor data_gradient(AutogradContext* context, const torch::Tensor& du, int64_t height, int64_t width) {
  const Timed timed(StepPart::DataGradient);
  return conv_of(context).backward_data(du, height, width);
}

void keep_conv(AutogradContext* context, const c10::intrusive_ptr<FastConv>& conv) {
  context->saved_data["conv"] = c10::IValue::make_capsule(conv);
}

struct InferenceConv : Function<InferenceConv> {
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& x, const torch::Tensor& bias,
                               const torch::Tensor& shortcut, const c10::intrusive_ptr<FastConv>& conv, bool relu) {
    const auto rounding = x.requires_grad() || rounds_quickly ? FastConv::Rounding::Quick : FastConv::Rounding::Exact;
    const Timed timed(StepPart::Convolution);
    auto y = conv->forward(x, bias, absent_if_empty(shortcut), relu, rounding);
    keep_conv(context, conv);
    context->saved_data["height"] = x.size(2);
    context->saved_data["width"] = x.size(3);
    if (relu) context->save_for_backward({y});
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    auto gradient = channels_last(gradients[0]);
    const auto saved = context->get_saved_variables();
    if (!saved.empty()) gradient = gate_by_output(gradient, saved[0]);
    const auto dx = context->needs_input_grad(0)
                        ? data_gradient(context, gradient, context->saved_data.at("height").toInt(),
                                        context->saved_data.at("width").toInt())
                        : torch::Tensor();
    return {dx, {}, context->needs_input_grad(2) ? gradient : torch::Tensor(), {}, {}};
  }
};

/// What BatchNorm's statistics make of it: per-channel factors, float32 (C).
struct Normalisation {
  torch::Tensor mean, inverse, scale, shift;  ///< y = u * scale + shift
};

Normalisation normalise(const torch::Tensor& u, const BatchNorm& norm) {
  const int64_t channels = u.size(1), rows = pixels(u);
  torch::Tensor sums;
  with_type(u, [&](auto type) {
    using T = decltype(type);
    sums = channel_sums(rows, channels, [&](int64_t first, int64_t count, double* sum, double* squares) {
      add_moments(data<T>(u) + first * channels, count, channels, sum, squares);
    });
  });
  const auto n = static_cast<double>(rows);
  const auto mean = sums[0] / n;
  const auto variance = (sums[1] / n - mean * mean).clamp_min(0);
  const auto inverse = (variance + norm.eps).rsqrt();
  const auto scale = norm.scale.detach() * inverse, shift = norm.shift.detach() - mean * scale;
  auto running_mean = norm.running_mean, running_var = norm.running_var;
  running_mean.lerp_(mean.to(torch::kFloat32), norm.momentum);
  running_var.lerp_((variance * (n / (n - 1))).to(torch::kFloat32), norm.momentum);
  return {mean, inverse, scale.to(torch::kFloat32), shift.to(torch::kFloat32)};
}

struct TrainingConv : Function<TrainingConv> {
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& x, const torch::Tensor& weight,
                               const torch::Tensor& /*scale*/, const torch::Tensor& /*shift*/,
                               const torch::Tensor& given_shortcut, const c10::intrusive_ptr<FastConv>& conv,
                               const BatchNorm* norm, bool relu) {
    const auto shortcut = absent_if_empty(given_shortcut);
    const auto u = [&] {
      const Timed timed(StepPart::Convolution);
      conv->set_weight(weight);
      return conv->forward(x, {}, {}, false, FastConv::Rounding::Quick);
    }();
    const Timed timed(StepPart::Norm);
    const auto factors = normalise(u, *norm);
    auto y = at::empty_like(u);
    const int64_t channels = u.size(1);
    with_type(u, [&](auto type) {
      using T = decltype(type);
      in_parallel_rows(pixels(u), channels, [&](int64_t first, int64_t count) {
        const int64_t at = first * channels;
        scale_and_shift(data<T>(u) + at, factors.scale.template data_ptr<float>(),
                        factors.shift.template data_ptr<float>(), shortcut.defined() ? data<T>(shortcut) + at : nullptr,
                        relu, data<T>(y) + at, count, channels);
      });
    });
    keep_conv(context, conv);
    context->saved_data["relu"] = relu;
    context->saved_data["shortcut"] = shortcut.defined();
    context->save_for_backward({x, weight /* only to notice a change */, u, factors.mean, factors.inverse,
                                factors.scale, factors.shift, relu && shortcut.defined() ? y : torch::Tensor()});
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const auto& x = saved[0];
    const auto norm = norm_gradient(gradients[0], saved, context->saved_data.at("relu").toBool());
    torch::Tensor dx, dweight;
    if (context->needs_input_grad(0)) dx = data_gradient(context, norm.du, x.size(2), x.size(3));
    if (context->needs_input_grad(1)) {
      const Timed timed(StepPart::WeightGradient);
      dweight = conv_of(context).backward_weight(x, norm.du);
    }
    return {dx,
            dweight,
            norm.dscale.to(torch::kFloat32),
            norm.dshift.to(torch::kFloat32),
            context->saved_data.at("shortcut").toBool() ? norm.dy : torch::Tensor(),
            {},
            {},
            {}};
  }

 private:
  struct NormGradient {
    torch::Tensor dy;              ///< behind the ReLU
    torch::Tensor du;              ///< of what the convolution gives
    torch::Tensor dscale, dshift;  ///< float64 (C)
  };

  /// saved: what `forward` keeps.
  static NormGradient norm_gradient(const torch::Tensor& gradient, const variable_list& saved, bool relu) {
    const Timed timed(StepPart::Norm);
    const auto &u = saved[2], &mean = saved[3], &inverse = saved[4], &scale = saved[5], &shift = saved[6],
               &y = saved[7];
    auto dy = channels_last(gradient);
    if (y.defined()) dy = gate_by_output(dy, y);
    const ReluGate open{scale.data_ptr<float>(), shift.data_ptr<float>()};
    const ReluGate* gate = relu && !y.defined() ? &open : nullptr;

    const int64_t channels = u.size(1), rows = pixels(u);
    torch::Tensor sums;
    auto du = at::empty_like(u);
    with_type(u, [&](auto type) {
      using T = decltype(type);
      sums = channel_sums(rows, channels, [&](int64_t first, int64_t count, double* sum, double* products) {
        const int64_t at = first * channels;
        add_gradient_moments(data<T>(dy) + at, data<T>(u) + at, gate, count, channels, sum, products);
      });
    });
    const torch::Tensor dshift = sums[0], dscale = (sums[1] - mean * sums[0]) * inverse;
    const auto n = static_cast<double>(rows);
    const auto by_input = (scale * inverse * dscale / -n);
    const auto constant = (scale * dshift / -n - by_input * mean).to(torch::kFloat32);
    const auto by_input_float = by_input.to(torch::kFloat32);
    with_type(u, [&](auto type) {
      using T = decltype(type);
      in_parallel_rows(rows, channels, [&](int64_t first, int64_t count) {
        const int64_t at = first * channels;
        combine_gradient(data<T>(dy) + at, data<T>(u) + at, gate, scale.template data_ptr<float>(),
                         by_input_float.template data_ptr<float>(), constant.template data_ptr<float>(),
                         data<T>(du) + at, count, channels);
      });
    });
    return {dy, du, dscale, dshift};
  }
};

}  // namespace

QuickRounding::QuickRounding() {
  rounds_quickly = true;
}
QuickRounding::~QuickRounding() {
  rounds_quickly = false;
}

torch::Tensor fused_conv(const c10::intrusive_ptr<FastConv>& conv, const torch::Tensor& x, const torch::Tensor& bias,
                         const torch::Tensor& shortcut, bool relu) {
  return InferenceConv::apply(x, bias, present(shortcut), conv, relu);
}

torch::Tensor fused_conv(const c10::intrusive_ptr<FastConv>& conv, const torch::Tensor& x, const torch::Tensor& weight,
                         const BatchNorm& norm, const torch::Tensor& shortcut, bool relu) {
  return TrainingConv::apply(x, weight, norm.scale, norm.shift, present(shortcut), conv, &norm, relu);
}

}  // namespace fercli
