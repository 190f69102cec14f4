// Operators with windows and weights: convolution, pooling, dense layers, normalisation.
#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "core/error.hpp"
#include "models/graph/attributes.hpp"
#include "models/graph/operator.hpp"
#include "models/kernels/bfloat16_emulation.hpp"

namespace fercli::graph_operators_layers {

namespace {

/// Where a window goes over an image: values for height and width.
struct Window {
  std::vector<int64_t> kernel, stride, dilation, before, after;  ///< before, after: padding

  bool symmetric() const { return before == after; }
  int64_t span(size_t d) const { return dilation[d] * (kernel[d] - 1) + 1; }
};

void require_image(const OperatorCall& c) {
  if (c[0].dim() != 4)
    c.fail(fmt::format("its input has shape ({}), where (N,C,H,W) is needed", fmt::join(c[0].sizes(), ",")));
}

/// TensorFlow's "same" is SAME_UPPER: ceil(size / stride) results, the odd pixel of padding after the image.
void pad_to_same(const OperatorCall& c, Window& window, bool upper) {
  for (size_t d = 0; d < 2; ++d) {
    const int64_t side = c[0].size(static_cast<int64_t>(d) + 2);
    const int64_t steps = (side + window.stride[d] - 1) / window.stride[d];
    const int64_t total = std::max<int64_t>((steps - 1) * window.stride[d] + window.span(d) - side, 0);
    window.before[d] = upper ? total / 2 : total - total / 2;
    window.after[d] = total - window.before[d];
  }
}

Window window_of(const OperatorCall& c, std::vector<int64_t> kernel) {
  require_image(c);
  Window window{c.integers("kernel_shape", std::move(kernel)),
                c.integers("strides", {1, 1}),
                c.integers("dilations", {1, 1}),
                {0, 0},
                {0, 0}};
  const auto pads = c.integers("pads", {0, 0, 0, 0});
  if (window.kernel.size() != 2 || window.stride.size() != 2 || window.dilation.size() != 2 || pads.size() != 4) {
    c.fail("only windows over height and width are supported");
  }
  for (const auto* values : {&window.kernel, &window.stride, &window.dilation}) {
    for (const int64_t value : *values) {
      if (value < 1 || value > 65536) c.fail(fmt::format("has an impossible window value {}", value));
    }
  }
  const std::string rule = c.word("auto_pad", "NOTSET");
  if (rule == "SAME_UPPER" || rule == "SAME_LOWER") {
    pad_to_same(c, window, rule == "SAME_UPPER");
  } else if (rule == "NOTSET") {
    c.allow_pads(pads);
    window.before = {pads[0], pads[1]};
    window.after = {pads[2], pads[3]};
  } else if (rule != "VALID") {
    c.fail(fmt::format("auto_pad '{}' is unknown", rule));
  }
  for (size_t d = 0; d < 2; ++d) {
    if (window.before[d] < 0 || window.after[d] < 0) c.fail("negative padding is not supported");
    if (c[0].size(static_cast<int64_t>(d) + 2) + window.before[d] + window.after[d] < window.span(d)) {
      c.fail("its window is larger than the image");
    }
  }
  c.allow({c[0].size(0), c[0].size(1), c[0].size(2) + window.before[0] + window.after[0],
           c[0].size(3) + window.before[1] + window.after[1]});
  return window;
}

torch::Tensor padded(const torch::Tensor& x, const Window& window, double value) {
  return at::constant_pad_nd(x, {window.before[1], window.after[1], window.before[0], window.after[0]}, value);
}

torch::Tensor optional(const OperatorCall& c, size_t i) {
  return c.has(i) ? c[i] : torch::Tensor();
}

/// The number of groups. LibTorch divides by what it is given, so channels must fit.
int64_t groups_of(const OperatorCall& c) {
  const int64_t groups = c.integer("group", 1), channels = c[0].size(1);
  if (groups < 1 || groups > channels || channels % groups != 0 || c[1].numel() == 0) {
    c.fail(fmt::format("has {} groups for {} channels and weights of shape ({})", groups, channels,
                       fmt::join(c[1].sizes(), ",")));
  }
  return groups;
}

Tensors convolution(const OperatorCall& c) {
  require_image(c);
  if (c[1].dim() != 4) c.fail("only two-dimensional convolutions are supported");
  const int64_t groups = groups_of(c);
  if (c[1].size(1) != c[0].size(1) / groups || c[1].size(0) % groups != 0) c.fail("its weights do not fit its input");
  const Window window = window_of(c, c[1].sizes().slice(2).vec());
  if (window.kernel != c[1].sizes().slice(2).vec()) c.fail("its kernel_shape is not that of its weights");
  const auto rows = [&](size_t d) {
    return (c[0].size(static_cast<int64_t>(d) + 2) + window.before[d] + window.after[d] - window.span(d)) /
               window.stride[d] +
           1;
  };
  c.allow({c[0].size(0), c[1].size(0), rows(0), rows(1)});
  if (c.has(2) && (c[2].dim() != 1 || c[2].size(0) != c[1].size(0))) {
    c.fail(
        fmt::format("its bias has the shape ({}), where ({}) is needed", fmt::join(c[2].sizes(), ","), c[1].size(0)));
  }
  auto x = c[0].to(c[1].scalar_type());
  if (!window.symmetric()) x = padded(x, window, 0);
  const auto padding = window.symmetric() ? window.before : std::vector<int64_t>{0, 0};
  const auto convolve = [&](const torch::Tensor& input, const torch::Tensor& weight, const torch::Tensor& bias) {
    return at::conv2d(input, weight, bias, window.stride, padding, window.dilation, groups);
  };
  return {with_bfloat16_emulated(x, c[1], optional(c, 2), convolve)};
}

/// The full result is cut by the padding (ONNX) or to in * stride (auto_pad SAME_UPPER, as Keras does).
Tensors transposed_convolution(const OperatorCall& c) {
  require_image(c);
  if (c[1].dim() != 4) c.fail("only two-dimensional convolutions are supported");
  const auto kernel = c[1].sizes().slice(2).vec();
  const auto stride = c.integers("strides", {1, 1}), dilation = c.integers("dilations", {1, 1});
  auto pads = c.integers("pads", {0, 0, 0, 0}), extra = c.integers("output_padding", {0, 0});
  const auto wanted = c.integers("output_shape", {});
  if (stride.size() != 2 || dilation.size() != 2 || pads.size() != 4 || extra.size() != 2 ||
      (!wanted.empty() && wanted.size() != 2)) {
    c.fail("only two-dimensional convolutions are supported");
  }
  if (c.integers("kernel_shape", kernel) != kernel) c.fail("its kernel_shape is not that of its weights");
  const std::string rule = c.word("auto_pad", "NOTSET");
  if (rule == "VALID") {
    pads = {0, 0, 0, 0};
  } else if (rule != "NOTSET" && rule != "SAME_UPPER" && rule != "SAME_LOWER") {
    c.fail(fmt::format("auto_pad '{}' is unknown", rule));
  }
  std::vector<int64_t> full(2), sides(2);
  for (size_t d = 0; d < 2; ++d) {
    if (stride[d] < 1 || dilation[d] < 1 || stride[d] > 64 || dilation[d] > 64) c.fail("has impossible strides");
    c.allow_pads(extra[d]);
    const int64_t side = c[0].size(static_cast<int64_t>(d) + 2);
    full[d] = (side - 1) * stride[d] + dilation[d] * (kernel[d] - 1) + 1;
    if (rule == "SAME_UPPER" || rule == "SAME_LOWER" || !wanted.empty()) {
      const int64_t target = wanted.empty() ? side * stride[d] : wanted[d];
      if (target < 1 || target > (1 << 20)) c.fail("has an impossible output_shape");
      const int64_t surplus = std::max<int64_t>(full[d] + extra[d] - target, 0);
      pads[d] = rule == "SAME_UPPER" ? surplus / 2 : surplus - surplus / 2;
      pads[d + 2] = full[d] + extra[d] - pads[d] - target;
    }
    c.allow_pads({pads[d], pads[d + 2]});
    sides[d] = full[d] + extra[d] - pads[d] - pads[d + 2];
  }
  if (c[1].size(0) != c[0].size(1)) c.fail("its weights do not fit its input");
  const int64_t groups = groups_of(c);
  c.allow({c[0].size(0), c[1].size(1) * groups, full[0], full[1]});
  c.allow({c[0].size(0), c[1].size(1) * groups, sides[0], sides[1]});
  if (c.has(2) && c[2].numel() != c[1].size(1) * groups) {
    c.fail(fmt::format("its bias has {} numbers for {} channels", c[2].numel(), c[1].size(1) * groups));
  }
  const auto convolve = [&](const torch::Tensor& input, const torch::Tensor& weight, const torch::Tensor&) {
    return at::conv_transpose2d(input, weight, {}, stride, {0, 0}, {0, 0}, groups, dilation);
  };
  const auto y = with_bfloat16_emulated(c[0].to(c[1].scalar_type()), c[1], {}, convolve);
  const auto cut = at::constant_pad_nd(y, {-pads[1], extra[1] - pads[3], -pads[0], extra[0] - pads[2]});
  return {c.has(2) ? cut + c[2].view({1, -1, 1, 1}) : cut};
}

/// LibTorch's own pooling takes padding that is the same on both sides and at most half a window.
bool is_plain(const Window& window) {
  return window.symmetric() && window.before[0] * 2 <= window.kernel[0] && window.before[1] * 2 <= window.kernel[1];
}

/// What is added after the image, so that windows without any rounding fit it exactly: the padding, less what no window
/// reaches, or with ceil_mode more. Windows that would begin after the image and its padding in front are left out.
std::vector<int64_t> fitting_padding(const OperatorCall& c, const Window& window, bool ceil) {
  std::vector<int64_t> after(2);
  for (size_t d = 0; d < 2; ++d) {
    if (window.before[d] >= window.span(d) || window.after[d] >= window.span(d)) {
      c.fail("its padding is no smaller than its window");
    }
    const int64_t side = c[0].size(static_cast<int64_t>(d) + 2), stride = window.stride[d];
    const int64_t room = side + window.before[d] + window.after[d] - window.span(d);
    int64_t steps = ceil ? (room + stride - 1) / stride : room / stride;
    if (ceil && steps * stride >= side + window.before[d]) --steps;
    after[d] = steps * stride + window.span(d) - side - window.before[d];
  }
  return after;
}

/// Negative padding after the image cuts it.
torch::Tensor fitted(const torch::Tensor& x, const Window& window, const std::vector<int64_t>& after, double value) {
  return at::constant_pad_nd(x, {window.before[1], after[1], window.before[0], after[0]}, value);
}

Tensors max_pooling(const OperatorCall& c) {
  const Window window = window_of(c, {1, 1});
  const bool ceil = c.integer("ceil_mode", 0) != 0;
  if (is_plain(window)) {
    return {at::max_pool2d(c[0], window.kernel, window.stride, window.before, window.dilation, ceil)};
  }
  const auto x = fitted(c[0], window, fitting_padding(c, window, ceil), -std::numeric_limits<float>::infinity());
  return {at::max_pool2d(x, window.kernel, window.stride, {0, 0}, window.dilation, /*ceil_mode=*/false)};
}

/// Padding counts in the mean only when count_include_pad says so; TensorFlow's never does. What ceil_mode adds beyond
/// the padding never counts.
Tensors average_pooling(const OperatorCall& c) {
  const Window window = window_of(c, {1, 1});
  if (window.dilation != std::vector<int64_t>{1, 1}) c.fail("dilations are not supported");
  const bool ceil = c.integer("ceil_mode", 0) != 0, count_padding = c.integer("count_include_pad", 0) != 0;
  if (is_plain(window)) {
    return {at::avg_pool2d(c[0], window.kernel, window.stride, window.before, ceil, count_padding)};
  }
  const auto after = fitting_padding(c, window, ceil);
  const auto sums = [&](const torch::Tensor& x) {
    return at::avg_pool2d(x, window.kernel, window.stride, {0, 0}, /*ceil_mode=*/false, false, 1);
  };
  const auto ones = torch::ones({1, 1, c[0].size(2), c[0].size(3)}, c[0].options().memory_format({}));
  auto counted = fitted(ones, window, after, 0);
  if (count_padding) {
    counted = fitted(torch::ones_like(ones), window,
                     {std::min(after[0], window.after[0]), std::min(after[1], window.after[1])}, 1);
    counted = at::constant_pad_nd(
        counted,
        {0, std::max<int64_t>(after[1] - window.after[1], 0), 0, std::max<int64_t>(after[0] - window.after[0], 0)}, 0);
  }
  return {sums(fitted(c[0], window, after, 0)) / sums(counted)};
}

Tensors global_average_pooling(const OperatorCall& c) {
  require_image(c);
  return {at_least_float32(c[0]).mean({2, 3}, /*keepdim=*/true)};
}

Tensors global_max_pooling(const OperatorCall& c) {
  require_image(c);
  return {c[0].amax({2, 3}, /*keepdim=*/true)};
}

/// x (N,I), weight (O,I): a 1x1 convolution, whose bits, unlike a matrix product's, do not depend on the batch size
/// (see Dense in layers.hpp for the stride).
torch::Tensor dense(const OperatorCall& c, const torch::Tensor& x, const torch::Tensor& weight,
                    const torch::Tensor& bias) {
  if (x.size(1) != weight.size(1)) c.fail(fmt::format("has {} inputs and weights for {}", x.size(1), weight.size(1)));
  c.allow({x.size(0), weight.size(0)});
  return at::conv2d(at_least_float32(x).reshape({-1, x.size(1), 1, 1}),
                    weight.reshape({weight.size(0), weight.size(1), 1, 1}), bias, /*stride=*/2)
      .flatten(1);
}

Tensors gemm(const OperatorCall& c) {
  if (c[0].dim() != 2 || c[1].dim() != 2) c.fail("its factors must be matrices");
  const auto x = c.integer("transA", 0) != 0 ? c[0].t() : c[0];
  const auto weight = c.integer("transB", 0) != 0 ? c[1] : c[1].t();
  const double alpha = c.number("alpha", 1), beta = c.number("beta", 1);
  const bool plain_bias = c.has(2) && c[2].numel() == weight.size(0) && c[2].dim() <= 1;
  auto bias = plain_bias ? c[2].reshape({-1}) * beta : torch::Tensor();
  if (c.has(2) && !plain_bias) {
    const std::vector<int64_t> product{x.size(0), weight.size(0)};
    if (c.broadcast(product, c[2].sizes()) != product) c.fail("its third input is larger than the product");
  }
  const auto y = dense(c, x, alpha == 1 ? weight : weight * alpha, bias);
  return {c.has(2) && !plain_bias ? y + c[2] * beta : y};
}

/// With a constant matrix on the right it is a dense layer on each row, else a product for each image.
Tensors matrix_product(const OperatorCall& c) {
  const bool transposed = c.integer("transB", 0) != 0;
  if (c[1].dim() == 2 && c[0].dim() >= 2) {
    auto shape = c[0].sizes().vec();
    const auto y = dense(c, c[0].reshape({-1, shape.back()}), transposed ? c[1] : c[1].t(), {});
    shape.back() = y.size(1);
    shape.front() = -1;
    return {y.reshape(shape)};
  }
  if (c[0].dim() < 2 || c[1].dim() < 2) c.fail("products with vectors are not supported");
  if (c[0].size(-1) != c[1].size(-2)) {
    c.fail(fmt::format("its factors have the shapes ({}) and ({}), which do not fit", fmt::join(c[0].sizes(), ","),
                       fmt::join(c[1].sizes(), ",")));
  }
  auto shape = c.broadcast(c[0].sizes().slice(0, c[0].dim() - 2), c[1].sizes().slice(0, c[1].dim() - 2));
  shape.insert(shape.end(), {c[0].size(-2), c[1].size(-1)});
  c.allow(shape);
  return {at::matmul(at_least_float32(c[0]), at_least_float32(c[1]))};
}

/// Inputs `first` to `last` hold one number for each channel of input 0.
void require_one_per_channel(const OperatorCall& c, size_t first, size_t last) {
  const int64_t channels = c[0].dim() > 1 ? c[0].size(1) : 1;
  for (size_t i = first; i <= last; ++i) {
    if (c[i].dim() == 1 && c[i].size(0) == channels) continue;
    c.fail(fmt::format("its input {} has the shape ({}), where ({}), one number for each channel, is needed", i + 1,
                       fmt::join(c[i].sizes(), ","), channels));
  }
}

Tensors batch_normalization(const OperatorCall& c) {
  require_one_per_channel(c, 1, 4);
  return {at::batch_norm(c[0], c[1], c[2], c[3], c[4], /*training=*/false, 0, c.number("epsilon", 1e-5), true)};
}

/// Over the axes from `axis` on, per image and position.
Tensors layer_normalization(const OperatorCall& c) {
  const auto x = c[0].to(torch::kFloat32);
  const int64_t first = c.axis(c.integer("axis", -1), x.dim());
  std::vector<int64_t> axes;
  for (int64_t d = first; d < x.dim(); ++d) axes.push_back(d);
  const auto centred = x - x.mean(axes, true);
  const auto normal = centred / (centred.square().mean(axes, true) + c.number("epsilon", 1e-5)).sqrt();
  for (size_t i = 1; i < 3; ++i) {
    if (c.has(i) && c.broadcast(x.sizes(), c[i].sizes()) != x.sizes().vec())
      c.fail("its scale has more axes than its input");
  }
  const auto scaled = c.has(1) ? normal * c[1] : normal;
  return {c.has(2) ? scaled + c[2] : scaled};
}

/// Over whatever axes follow the channels: PyTorch writes GroupNorm as this operator on (N,groups,values).
Tensors instance_normalization(const OperatorCall& c) {
  const auto x = c[0].to(torch::kFloat32);
  if (x.dim() < 3) {
    c.fail(fmt::format("its input has shape ({}), where (N,C,…) with one more axis or several is needed",
                       fmt::join(x.sizes(), ",")));
  }
  require_one_per_channel(c, 1, 2);
  std::vector<int64_t> axes, by_channel(static_cast<size_t>(x.dim()), 1);
  for (int64_t d = 2; d < x.dim(); ++d) axes.push_back(d);
  by_channel[1] = -1;
  const auto centred = x - x.mean(axes, true);
  const auto normal = centred / (centred.square().mean(axes, true) + c.number("epsilon", 1e-5)).sqrt();
  return {normal * c[1].view(by_channel) + c[2].view(by_channel)};
}

/// Until opset 13 more than one output was for training; a flag says so since.
void read_batch_normalization(GraphNode& node, Graph& /*graph*/, int64_t opset) {
  const auto statistics =
      std::count_if(node.outputs.begin(), node.outputs.end(), [](const std::string& name) { return !name.empty(); });
  if (whole_attribute(node, "training_mode", 0) != 0 || (opset < 14 && statistics > 1)) refuse_training(node);
  if (whole_attribute(node, "spatial", 1) == 0) {
    throw UserError(fmt::format("node '{}': statistics for each pixel are not supported", node.name));
  }
}

/// scale / sqrt(var + eps), and what is left to add.
std::pair<torch::Tensor, torch::Tensor> factors_of_batch_norm(const GraphNode& node, const Graph& graph) {
  const auto parameter = [&](size_t i) { return graph.constants.at(node.inputs[i]).to(torch::kFloat64); };
  const auto factor = parameter(1) / (parameter(4) + node.attributes.value("epsilon", 1e-5)).sqrt();
  return {factor, parameter(2) - parameter(3) * factor};
}

/// Its mean is subtracted.
void normalise_magnitudes(GraphNode& /*node*/, Tensors& inputs) {
  constexpr size_t kMean = 3;
  inputs[kMean] = -inputs[kMean];
}

std::vector<int64_t> channels_of_convolution(const GraphNode& /*node*/) {
  return {-1, 1, 1, 1};
}

std::vector<int64_t> channels_of_gemm(const GraphNode& node) {
  return whole_attribute(node, "transB", 0) != 0 ? std::vector<int64_t>{-1, 1} : std::vector<int64_t>{1, -1};
}

void multiply_magnitudes(GraphNode& node, Tensors& /*inputs*/) {
  for (const char* factor : {"alpha", "beta"}) {
    if (node.attributes.contains(factor)) node.attributes[factor] = std::abs(node.attributes[factor].get<double>());
  }
}

int64_t products_of_convolution(const GraphNode& /*node*/, const Tensors& inputs, const torch::Tensor& /*result*/) {
  return inputs[1].numel() / inputs[1].size(0);
}

int64_t products_of_row(const GraphNode& /*node*/, const Tensors& inputs, const torch::Tensor& /*result*/) {
  return std::max(inputs[0].size(0), inputs[0].size(-1));
}

int64_t pixels_of_window(const GraphNode& node, const Tensors& /*inputs*/, const torch::Tensor& /*result*/) {
  const auto kernel = whole_attributes(node, "kernel_shape", {1, 1});
  return kernel.at(0) * kernel.at(1);
}

const RegisterOperators registered{
    {"Conv",
     convolution,
     {"auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"},
     2,
     Effect::Convolves,
     FoldingLayer{channels_of_convolution},
     BoundRule::Weighted,
     Terms{products_of_convolution}},
    {"ConvTranspose",
     transposed_convolution,
     {"auto_pad", "dilations", "group", "kernel_shape", "output_padding", "output_shape", "pads", "strides"},
     2,
     Effect::Convolves},
    {"MaxPool",
     max_pooling,
     {"auto_pad", "ceil_mode", "dilations", "kernel_shape", "pads", "storage_order", "strides"},
     1,
     Effect::Chooses,
     BoundRule::Largest},
    {"AveragePool",
     average_pooling,
     {"auto_pad", "ceil_mode", "count_include_pad", {"dilations", kLeftOut}, "kernel_shape", "pads", "strides"},
     1,
     BoundRule::Rising,
     Terms{pixels_of_window}},
    {"GlobalAveragePool", global_average_pooling, {}, 1, BoundRule::Rising, Terms{reduced_numbers}},
    {"GlobalMaxPool", global_max_pooling, {}, 1, BoundRule::Monotone},
    {"Gemm",
     gemm,
     {{"alpha", kReal}, {"beta", kReal}, "transA", "transB"},
     2,
     FoldingLayer{channels_of_gemm},
     BoundRule::Weighted,
     Terms{products_of_row},
     Magnitudes{multiply_magnitudes}},
    {"MatMul", matrix_product, {"transB"}, 2, BoundRule::Weighted, Terms{products_of_row}},
    {"BatchNormalization",
     batch_normalization,
     {{"epsilon", kReal}, {"momentum", kReal}, {"spatial", kLeftOut}, {"training_mode", kLeftOut}},
     5,
     OnnxForm{nullptr, read_batch_normalization},
     ChannelScale{factors_of_batch_norm},
     BoundRule::Weighted,
     Magnitudes{normalise_magnitudes}},
    {"LayerNormalization",
     layer_normalization,
     {"axis", {"epsilon", kReal}, "stash_type"},
     1,
     OnnxForm{nullptr, nullptr, since<17>}},
    {"InstanceNormalization", instance_normalization, {{"epsilon", kReal}}, 3},
};

}  // namespace

}  // namespace fercli::graph_operators_layers
