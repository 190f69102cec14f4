// The layers of Keras, in operators of the graph.
#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "core/json_limits.hpp"
#include "core/reason.hpp"
#include "models/formats/keras/keras_layer.hpp"

namespace fercli {

namespace {

using Shape = std::vector<int64_t>;

/// A window that goes over an image: operator attributes, and the sides of its result by TensorFlow's rules.
struct KerasWindow {
  nlohmann::json attributes;
  Shape sides;
};

KerasWindow window_of(const KerasCall& call, const KerasImage& x, const Shape& kernel, const Shape& stride,
                      const Shape& dilation) {
  const bool same = call.choice("padding", {"valid", "same"}) == "same";
  KerasWindow window{{{"kernel_shape", kernel},
                      {"strides", stride},
                      {"dilations", dilation},
                      {"auto_pad", same ? "SAME_UPPER" : "VALID"}},
                     {}};
  for (size_t d = 0; d < 2; ++d) {
    if (kernel[d] < 1 || stride[d] < 1 || dilation[d] < 1) call.fail("has a kernel, stride or dilation below 1");
    const int64_t side = x.sides[d], span = dilation[d] * (kernel[d] - 1) + 1;
    window.sides.push_back(same ? (side + stride[d] - 1) / stride[d] : (side - span) / stride[d] + 1);
    if (window.sides.back() < 1 || (!same && side < span)) call.fail("its window is larger than the image");
  }
  return window;
}

void require_rank(const KerasCall& call, const torch::Tensor& weight, int64_t rank) {
  if (weight.dim() != rank)
    call.fail(fmt::format("a weight has shape ({}), where {} axes are needed", fmt::join(weight.sizes(), ","), rank));
}

/// A setting that the weights say too. Throws UserError when they differ.
void require_fitting(const KerasCall& call, const char* key, int64_t by_weights) {
  if (call.integer(key, by_weights) != by_weights)
    call.fail(fmt::format("{} {} does not fit its weights, which say {}", key, call.setting(key).dump(), by_weights));
}

/// Sides of a kernel (kh,kw,…).
Shape kernel_sides(const KerasCall& call, const torch::Tensor& kernel) {
  require_rank(call, kernel, 4);
  auto sides = kernel.sizes().slice(0, 2).vec();
  if (call.pair("kernel_size", sides) != sides) {
    call.fail(fmt::format("kernel_size {} does not fit its weights, which say [{}]", call.setting("kernel_size").dump(),
                          fmt::join(sides, ",")));
  }
  return sides;
}

KerasWindow convolution_window(const KerasCall& call, const KerasImage& x, const torch::Tensor& kernel) {
  return window_of(call, x, kernel_sides(call, kernel), call.pair("strides", {1, 1}),
                   call.pair("dilation_rate", {1, 1}));
}

void add_bias(KerasCall& call, std::vector<std::string>& inputs) {
  if (call.flag("use_bias", true)) inputs.push_back(call.constant("bias", call.weight("bias")));
}

KerasImage convolve(KerasCall& call, const KerasImage& x, const torch::Tensor& weight, int64_t groups,
                    const KerasWindow& window, bool bias) {
  auto attributes = window.attributes;
  attributes["group"] = groups;
  std::vector<std::string> inputs{x.name, call.constant("kernel", weight.contiguous())};
  if (bias) add_bias(call, inputs);
  return {call.add("Conv", inputs, {}, attributes).name, window.sides, weight.size(0), x.channels_first};
}

KerasValue activated(KerasCall& call, const KerasValue& value) {
  return call.activate(value, call.setting("activation"));
}

/// Keras' (kh,kw,in,out) is the graph's (out,in,kh,kw).
KerasValue conv2d(KerasCall& call) {
  const auto x = call.image();
  const auto kernel = call.weight("kernel");
  const auto window = convolution_window(call, x, kernel);
  require_fitting(call, "filters", kernel.size(3));
  return activated(call,
                   convolve(call, x, kernel.permute({3, 2, 0, 1}), call.integer("groups", 1), window, true).value());
}

/// Keras' (kh,kw,in,multiplier): the results of a channel lie side by side.
torch::Tensor depthwise_weight(const KerasCall& call, const torch::Tensor& kernel) {
  require_rank(call, kernel, 4);
  require_fitting(call, "depth_multiplier", kernel.size(3));
  return kernel.permute({2, 3, 0, 1}).reshape({kernel.size(2) * kernel.size(3), 1, kernel.size(0), kernel.size(1)});
}

KerasValue depthwise_conv2d(KerasCall& call) {
  const auto x = call.image();
  const auto kernel = call.weight("depthwise_kernel", "kernel");  // Keras 3 has another name
  const auto weight = depthwise_weight(call, kernel);
  const auto window = convolution_window(call, x, kernel);
  return activated(call, convolve(call, x, weight, kernel.size(2), window, true).value());
}

KerasValue separable_conv2d(KerasCall& call) {
  const auto x = call.image();
  const auto depthwise = call.weight("depthwise_kernel"), pointwise = call.weight("pointwise_kernel");
  require_rank(call, pointwise, 4);
  require_fitting(call, "filters", pointwise.size(3));
  const auto window = convolution_window(call, x, depthwise);
  const auto spread = convolve(call, x, depthwise_weight(call, depthwise), depthwise.size(2), window, false);
  const KerasWindow point{{{"kernel_shape", {1, 1}}}, window.sides};
  return activated(call, convolve(call, spread, pointwise.permute({3, 2, 0, 1}), 1, point, true).value());
}

/// Keras' (kh,kw,out,in). "same" gives side * stride, "valid" as much as the windows cover, but no less than that.
KerasValue conv2d_transpose(KerasCall& call) {
  const auto x = call.image();
  const auto kernel = call.weight("kernel");
  const auto spans = kernel_sides(call, kernel);
  require_fitting(call, "filters", kernel.size(2));
  const auto stride = call.pair("strides", {1, 1}), dilation = call.pair("dilation_rate", {1, 1});
  if (!call.setting("output_padding").is_null()) call.fail("output_padding is not supported");
  const bool same = call.choice("padding", {"valid", "same"}) == "same";
  KerasImage y{"", {}, kernel.size(2), x.channels_first};
  Shape extra;
  for (size_t d = 0; d < 2; ++d) {
    const int64_t side = x.sides[d], span = dilation[d] * (spans[d] - 1) + 1;
    extra.push_back(same ? 0 : std::max<int64_t>(stride[d] - span, 0));
    y.sides.push_back(same ? side * stride[d] : (side - 1) * stride[d] + span + extra[d]);
  }
  std::vector<std::string> inputs{x.name, call.constant("kernel", kernel.permute({3, 2, 0, 1}).contiguous())};
  add_bias(call, inputs);
  nlohmann::json attributes = {{"strides", stride}, {"dilations", dilation}, {"output_padding", extra}};
  if (same) attributes["auto_pad"] = "SAME_UPPER";
  y.name = call.add("ConvTranspose", inputs, {}, attributes).name;
  return activated(call, y.value());
}

/// On the last axis, whatever the rank.
KerasValue dense(KerasCall& call) {
  const auto kernel = call.weight("kernel");
  require_rank(call, kernel, 2);
  require_fitting(call, "units", kernel.size(1));
  const auto& x = call.input();
  auto shape = x.shape;
  if (shape.empty() || shape.back() != kernel.size(0))
    call.fail(fmt::format("its input has shape ({}), its weights ({})", fmt::join(shape, ","),
                          fmt::join(kernel.sizes(), ",")));
  shape.back() = kernel.size(1);
  std::vector<std::string> bias;
  add_bias(call, bias);
  KerasValue y;
  if (x.turned) {
    const auto weight =
        call.constant("kernel", kernel.t().reshape({kernel.size(1), kernel.size(0), 1, 1}).contiguous());
    std::vector<std::string> inputs{x.name, weight};
    inputs.insert(inputs.end(), bias.begin(), bias.end());
    y = call.add("Conv", inputs, shape);
    y.turned = true;
  } else if (shape.size() == 1) {
    std::vector<std::string> inputs{x.name, call.constant("kernel", kernel)};
    inputs.insert(inputs.end(), bias.begin(), bias.end());
    y = call.add("Gemm", inputs, shape);
  } else {
    y = call.add("MatMul", {x.name, call.constant("kernel", kernel)}, shape);
    if (!bias.empty()) y = call.map("Add", y, {bias[0]});
  }
  return activated(call, y);
}

/// A place in Keras' shape with the batch in front, counted from the front.
int64_t axis_place(const KerasCall& call, int64_t axis) {
  const auto rank = static_cast<int64_t>(call.inputs.at(0).shape.size()) + 1;
  if (axis < -rank || axis >= rank) call.fail(fmt::format("axis {} of a value with {} axes", axis, rank));
  const int64_t place = axis < 0 ? axis + rank : axis;
  if (place == 0) call.fail("its axis is that of the batch");
  return place;
}

/// The axes among its settings, in order; `otherwise` when there are none.
Shape axes_of(const KerasCall& call, int64_t otherwise) {
  const auto given = call.setting("axis");
  Shape axes;
  if (!given.is_array()) {
    axes.push_back(axis_place(call, given.is_null() ? otherwise : whole_of(given)));
  } else {
    for (const auto& axis : given) axes.push_back(axis_place(call, whole_of(axis)));
  }
  std::sort(axes.begin(), axes.end());
  return axes;
}

int64_t axis_of(const KerasCall& call, int64_t otherwise) {
  const auto axes = axes_of(call, otherwise);
  if (axes.size() != 1) call.fail("only one axis is supported");
  return axes.front();
}

/// Where that axis of a value lies in the graph.
int64_t graph_axis(const KerasValue& value, int64_t axis) {
  constexpr int64_t kTurned[] = {0, 2, 3, 1};
  return value.turned ? kTurned[axis] : axis;
}

/// Values along one axis of `x`, ready to be joined with it.
torch::Tensor along_axis(const KerasValue& x, int64_t axis, const torch::Tensor& values) {
  Shape shape(x.shape.size(), 1);
  shape[static_cast<size_t>(graph_axis(x, axis)) - 1] = -1;
  return values.reshape(shape);
}

KerasValue affine(KerasCall& call, const KerasValue& x, const torch::Tensor& factor, const torch::Tensor& shift) {
  return call.map("Add", call.map("Mul", x, {call.constant("scale", factor)}), {call.constant("offset", shift)});
}

/// As BatchNormalization where its axis lies as the graph's channels do, so that it can be folded.
KerasValue batch_normalization(KerasCall& call) {
  const auto& x = call.input();
  const int64_t axis = axis_of(call, -1), size = x.shape[static_cast<size_t>(axis) - 1];
  auto gamma = call.flag("scale", true) ? call.weight("gamma") : torch::Tensor();
  auto beta = call.flag("center", true) ? call.weight("beta") : torch::Tensor();
  auto mean = call.weight("moving_mean"), variance = call.weight("moving_variance");
  for (const auto* values : {&gamma, &beta, &mean, &variance}) {
    if (values->defined() && (values->dim() != 1 || values->numel() != size))
      call.fail("its weights do not fit its input");
  }
  if (!gamma.defined()) gamma = torch::ones_like(mean);
  if (!beta.defined()) beta = torch::zeros_like(mean);
  const double epsilon = call.number("epsilon", 1e-3);
  if (graph_axis(x, axis) == 1 && x.shape.size() != 2) {
    return call.map("BatchNormalization", x,
                    {call.constant("gamma", gamma), call.constant("beta", beta), call.constant("mean", mean),
                     call.constant("variance", variance)},
                    {{"epsilon", epsilon}});
  }
  const auto factor = gamma / (variance + epsilon).sqrt();
  return affine(call, x, along_axis(x, axis, factor), along_axis(x, axis, beta - mean * factor));
}

int64_t product(const Shape& shape) {
  int64_t count = 1;
  for (const int64_t side : shape) count *= side;
  return count;
}

/// Over the last axes.
KerasValue layer_normalization(KerasCall& call) {
  const auto axes = axes_of(call, -1);
  const auto rank = static_cast<int64_t>(call.input().shape.size());
  Shape shape;
  for (size_t i = 0; i < axes.size(); ++i) {
    if (axes[i] != rank - static_cast<int64_t>(axes.size() - i) + 1) call.fail("only the last axes are supported");
    shape.push_back(call.input().shape[static_cast<size_t>(axes[i]) - 1]);
  }
  const auto x = call.plain(call.input());
  // Where the file has no weights, one number stands at each place and takes no memory.
  const auto weight = [&](const char* flag, const char* name, double otherwise) {
    if (!call.flag(flag, true)) return torch::full({}, otherwise, torch::kFloat32).expand(shape);
    const auto values = call.weight(name);
    if (values.numel() != product(shape)) call.fail("its weights do not fit its input");
    return values.reshape(shape);
  };
  const auto gamma = weight("scale", "gamma", 1), beta = weight("center", "beta", 0);
  return call.map("LayerNormalization", x, {call.constant("gamma", gamma), call.constant("beta", beta)},
                  {{"axis", -static_cast<int64_t>(axes.size())}, {"epsilon", call.number("epsilon", 1e-3)}});
}

KerasValue pool(KerasCall& call, const char* op) {
  const auto x = call.image();
  const auto size = call.pair("pool_size", {2, 2});
  const auto window = window_of(call, x, size, call.pair("strides", size), {1, 1});
  auto attributes = window.attributes;
  attributes.erase("dilations");
  return KerasImage{call.add(op, {x.name}, {}, attributes).name, window.sides, x.channels, x.channels_first}.value();
}

KerasValue global_pool(KerasCall& call, const char* op) {
  const auto x = call.image();
  const auto y = call.add(op, {x.name}, {});
  if (call.flag("keepdims", false)) return KerasImage{y.name, {1, 1}, x.channels, x.channels_first}.value();
  return call.add("Flatten", {y.name}, {x.channels});
}

/// With data_format channels_first, the first axis becomes the last before.
KerasValue flatten(KerasCall& call) {
  auto x = call.input();
  const bool first = call.choice("data_format", {"channels_last", "channels_first"}) == "channels_first";
  if (x.is_image() && x.shape[0] * x.shape[1] > 1) x = call.plain(x);
  if (first && x.shape.size() > 1) {
    x = call.plain(x);
    Shape order{0};
    for (size_t d = 2; d <= x.shape.size(); ++d) order.push_back(static_cast<int64_t>(d));
    order.push_back(1);
    x = call.add("Transpose", {x.name}, x.shape, {{"perm", order}});
  }
  return call.add("Flatten", {x.name}, {product(call.input().shape)});
}

KerasValue reshape(KerasCall& call) {
  auto shape = wholes_of(call.setting("target_shape"));
  const int64_t count = product(call.input().shape);
  int64_t known = 1, open = 0;
  for (const int64_t side : shape) {
    if (side == -1) {
      ++open;
    } else {
      known = side < 1 || known > count / side ? count + 1 : known * side;  // which divides no count
    }
  }
  if (open > 1 || (open == 1 ? count % known != 0 : known != count))
    call.fail(fmt::format("cannot make ({}) of ({})", fmt::join(shape, ","), fmt::join(call.input().shape, ",")));
  std::replace(shape.begin(), shape.end(), int64_t{-1}, count / known);
  const auto x = call.plain(call.input());
  Shape target{0};
  target.insert(target.end(), shape.begin(), shape.end());
  return call.add("Reshape", {x.name, call.constant("shape", torch::tensor(target, torch::kInt64))}, shape);
}

KerasValue permute(KerasCall& call) {
  const auto dims = wholes_of(call.setting("dims"));
  if (dims.size() != call.input().shape.size()) call.fail("its dims do not fit its input");
  Shape order{0}, shape;
  for (const int64_t d : dims) {
    if (d < 1 || d > static_cast<int64_t>(dims.size())) call.fail("its dims do not fit its input");
    order.push_back(d);
    shape.push_back(call.input().shape[static_cast<size_t>(d) - 1]);
  }
  const auto x = call.plain(call.input());
  return call.add("Transpose", {x.name}, shape, {{"perm", order}});
}

/// The inputs with one rank and one place of their axes. Those of lower rank get sides of one in front, as in Keras.
std::vector<KerasValue> aligned_inputs(KerasCall& call) {
  size_t rank = 0;
  bool mixed = false, turned = false;
  for (const auto& x : call.inputs) {
    mixed = mixed || (rank > 0 && x.shape.size() != rank);
    rank = std::max(rank, x.shape.size());
    turned = turned || x.turned;
  }
  std::vector<KerasValue> aligned;
  for (auto x : call.inputs) {
    x = turned && !mixed ? call.turned(x) : call.plain(x);
    if (x.shape.size() < rank) {
      Shape axes, shape = x.shape;
      for (size_t d = 1; d <= rank - x.shape.size(); ++d) axes.push_back(static_cast<int64_t>(d));
      shape.insert(shape.begin(), axes.size(), 1);
      x = call.add("Unsqueeze", {x.name, call.constant("axes", torch::tensor(axes, torch::kInt64))}, shape);
    }
    aligned.push_back(x);
  }
  if (aligned.empty()) call.fail("has no inputs");
  return aligned;
}

KerasValue merge(KerasCall& call, const char* op) {
  const auto inputs = aligned_inputs(call);
  KerasValue sum = inputs.front();
  for (size_t i = 1; i < inputs.size(); ++i) {
    const auto& x = inputs[i];
    Shape shape;
    for (size_t d = 0; d < x.shape.size(); ++d) {
      if (sum.shape[d] != x.shape[d] && sum.shape[d] != 1 && x.shape[d] != 1)
        call.fail(fmt::format("inputs of shapes ({}) and ({}) cannot be merged", fmt::join(sum.shape, ","),
                              fmt::join(x.shape, ",")));
      shape.push_back(std::max(sum.shape[d], x.shape[d]));
    }
    sum = call.map(op, sum, {x.name});
    sum.shape = shape;
  }
  return sum;
}

KerasValue subtract(KerasCall& call) {
  if (call.inputs.size() != 2) call.fail(fmt::format("has {} inputs, where two are needed", call.inputs.size()));
  return merge(call, "Sub");
}

KerasValue average(KerasCall& call) {
  const auto sum = merge(call, "Add");
  const float share = 1.0F / static_cast<float>(call.inputs.size());
  return call.map("Mul", sum, {call.constant("share", torch::tensor(share))});
}

KerasValue concatenate(KerasCall& call) {
  const int64_t axis = axis_of(call, -1);
  for (const auto& x : call.inputs) {
    if (x.shape.size() != call.inputs[0].shape.size()) call.fail("its inputs have different ranks");
  }
  const auto inputs = aligned_inputs(call);
  KerasValue joined = inputs.front();
  const auto place = static_cast<size_t>(axis) - 1;
  joined.shape[place] = 0;
  std::vector<std::string> names;
  for (const auto& x : inputs) {
    auto others = x.shape;
    others[place] = joined.shape[place];
    if (others != joined.shape) call.fail("its inputs differ along other axes than the one joined");
    joined.shape[place] += x.shape[place];
    names.push_back(x.name);
  }
  joined.name = call.add("Concat", names, joined.shape, {{"axis", graph_axis(joined, axis)}}).name;
  return joined;
}

/// {{top, bottom}, {left, right}} of a number, two numbers or two pairs.
std::array<Shape, 2> margins(const KerasCall& call, const char* key) {
  const auto value = call.setting(key);
  const auto both = [&](const nlohmann::json& given) -> Shape {
    if (given.is_number()) return {call.whole(key, given), call.whole(key, given)};
    return {call.whole(key, given.at(0)), call.whole(key, given.at(1))};
  };
  if (value.is_number()) return {both(value), both(value)};
  return {both(value.at(0)), both(value.at(1))};
}

/// Negative margins crop.
KerasValue pad(KerasCall& call, const char* key, int64_t sign) {
  auto x = call.image();
  const auto [rows, columns] = margins(call, key);
  const Shape pads{0, 0, sign * rows[0], sign * columns[0], 0, 0, sign * rows[1], sign * columns[1]};
  x.sides = {x.sides[0] + pads[2] + pads[6], x.sides[1] + pads[3] + pads[7]};
  if (x.sides[0] < 1 || x.sides[1] < 1) call.fail("leaves nothing of the image");
  x.name = call.add("Pad", {x.name, call.constant("pads", torch::tensor(pads, torch::kInt64))}, {}).name;
  return x.value();
}

/// `nearest`: which pixel is the nearest, in ONNX's words; `rules`: the interpolations allowed.
KerasValue resized(KerasCall& call, KerasImage x, const Shape& sides, const nlohmann::json& nearest,
                   const std::vector<std::string>& rules) {
  nlohmann::json attributes = {{"mode", "linear"}, {"coordinate_transformation_mode", "half_pixel"}};
  if (call.choice("interpolation", rules) == "nearest") attributes = nearest;
  const Shape sizes{1, x.channels, sides[0], sides[1]};
  x.name =
      call.add("Resize", {x.name, "", "", call.constant("sizes", torch::tensor(sizes, torch::kInt64))}, {}, attributes)
          .name;
  x.sides = sides;
  return x.value();
}

KerasValue up_sampling(KerasCall& call) {
  const auto x = call.image();
  const auto factor = call.pair("size", {2, 2});
  return resized(call, x, {x.sides[0] * factor[0], x.sides[1] * factor[1]},
                 {{"mode", "nearest"}, {"coordinate_transformation_mode", "asymmetric"}, {"nearest_mode", "floor"}},
                 {"nearest", "bilinear"});
}

KerasValue resizing(KerasCall& call) {
  const auto x = call.image();
  const Shape sides{call.integer("height", 0), call.integer("width", 0)};
  if (sides[0] < 1 || sides[1] < 1) call.fail("leaves no pixel");
  for (const char* key : {"crop_to_aspect_ratio", "pad_to_aspect_ratio", "antialias"}) {
    if (call.flag(key, false)) call.fail(fmt::format("{} is not supported", key));
  }
  for (const char* key : {"fill_mode", "fill_value"}) call.setting(key);  // of the padding, which there is none of
  // The pixel in which the centre of the new one lies.
  return resized(
      call, x, sides,
      {{"mode", "nearest"}, {"coordinate_transformation_mode", "half_pixel"}, {"nearest_mode", "round_prefer_ceil"}},
      {"bilinear", "nearest"});
}

void collect_numbers(const nlohmann::json& value, std::vector<float>& numbers) {
  if (value.is_array()) {
    for (const auto& part : value) collect_numbers(part, numbers);
  } else {
    numbers.push_back(value.get<float>());
  }
}

/// A number, or one for each place of the last axis, ready to be joined with the input.
torch::Tensor per_channel(const KerasCall& call, const torch::Tensor& values) {
  if (values.numel() == 1) return values.reshape({});
  const auto& x = call.input();
  if (x.shape.empty() || values.numel() != x.shape.back()) {
    call.fail(fmt::format("has {} values for an input of shape ({})", values.numel(), fmt::join(x.shape, ",")));
  }
  return along_axis(x, static_cast<int64_t>(x.shape.size()), values);
}

torch::Tensor given_numbers(const KerasCall& call, const char* key, double otherwise) {
  const auto value = call.setting(key);
  std::vector<float> numbers;
  if (value.is_null()) {
    numbers.push_back(static_cast<float>(otherwise));
  } else {
    collect_numbers(value, numbers);
  }
  return torch::tensor(numbers);
}

KerasValue rescaling(KerasCall& call) {
  return affine(call, call.input(), per_channel(call, given_numbers(call, "scale", 1)),
                per_channel(call, given_numbers(call, "offset", 0)));
}

/// (x - mean) / max(sqrt(variance), 1e-7), learnt from data (weights) or given; one of each where axis is null.
KerasValue normalization(KerasCall& call) {
  const bool single = call.config.contains("axis") && call.setting("axis").is_null();
  if (!single && axis_of(call, -1) != static_cast<int64_t>(call.input().shape.size()))
    call.fail("only the last axis is supported");
  if (call.flag("invert", false)) call.fail("invert is not supported");
  const bool given = !call.setting("mean").is_null();
  const auto values = [&](const char* key) {
    return per_channel(call, given ? given_numbers(call, key, 0) : call.weight(key));
  };
  const auto mean = values("mean"), deviation = values("variance").sqrt().clamp_min(1e-7);
  return affine(call, call.input(), 1 / deviation, -mean / deviation);
}

/// x above the threshold, at most max_value; below it negative_slope * (x - threshold).
KerasValue relu_layer(KerasCall& call) {
  const auto& x = call.input();
  const double slope = call.number("negative_slope", call.number("alpha", 0)), threshold = call.number("threshold", 0);
  const auto most = call.setting("max_value");
  auto y = threshold == 0 ? call.map("Relu", x) : call.map("ThresholdedRelu", x, {}, {{"alpha", threshold}});
  if (!most.is_null()) {
    const double bound = call.number("max_value", 0);
    if (bound < 0) call.fail(fmt::format("max_value {} is below 0", bound));
    y = call.map("Clip", y, {}, {{"min", 0.0}, {"max", bound}});
  }
  if (slope == 0) return y;
  const auto level = call.constant("threshold", torch::tensor(static_cast<float>(threshold)));
  const auto below = call.map("Relu", call.map("Neg", call.map("Sub", x, {level})));
  const auto factor = call.constant("slope", torch::tensor(static_cast<float>(slope)));
  return call.map("Sub", y, {call.map("Mul", below, {factor}).name});
}

KerasValue thresholded_relu(KerasCall& call) {
  return call.map("ThresholdedRelu", call.input(), {}, {{"alpha", call.number("theta", 1)}});
}

KerasValue leaky_relu(KerasCall& call) {
  const double slope = call.number("negative_slope", call.number("alpha", 0.3));
  return call.map("LeakyRelu", call.input(), {}, {{"alpha", slope}});
}

/// Axes of size one in its weight are shared, whatever shared_axes says.
KerasValue prelu(KerasCall& call) {
  auto slope = call.weight("alpha");
  call.setting("shared_axes");
  require_rank(call, slope, static_cast<int64_t>(call.input().shape.size()));
  if (call.input().turned) slope = slope.permute({2, 0, 1}).contiguous();
  return call.map("PRelu", call.input(), {call.constant("alpha", slope)});
}

KerasValue elu(KerasCall& call) {
  return call.map("Elu", call.input(), {}, {{"alpha", call.number("alpha", 1)}});
}

KerasValue softmax(KerasCall& call) {
  return call.map("Softmax", call.input(), {}, {{"axis", graph_axis(call.input(), axis_of(call, -1))}});
}

KerasValue activation(KerasCall& call) {
  return call.activate(call.input(), call.setting("activation"));
}

KerasValue pass(KerasCall& call) {
  return call.input();
}

/// Name, operator and attributes of an activation function. Softmax needs an axis, and is not among them.
struct ActivationRule {
  const char* name;
  const char* op;
  nlohmann::json attributes;
};

const std::vector<ActivationRule>& activation_rules() {
  const auto none = nlohmann::json::object();
  static const std::vector<ActivationRule> rules = {
      {"relu", "Relu", none},
      {"relu6", "Clip", {{"min", 0}, {"max", 6}}},
      {"hard_tanh", "Clip", {{"min", -1}, {"max", 1}}},
      {"leaky_relu", "LeakyRelu", {{"alpha", 0.2}}},
      {"elu", "Elu", none},
      {"celu", "Celu", none},
      {"selu", "Selu", none},
      {"gelu", "Gelu", none},
      {"silu", "Silu", none},
      {"swish", "Silu", none},
      {"mish", "Mish", none},
      {"sigmoid", "Sigmoid", none},
      {"hard_swish", "HardSwish", none},
      {"hard_silu", "HardSwish", none},
      {"tanh", "Tanh", none},
      {"softplus", "Softplus", none},
      {"softsign", "Softsign", none},
      {"exponential", "Exp", none},
  };
  return rules;
}

struct RegisterLayers {
  RegisterLayers(std::initializer_list<KerasLayer> layers) {
    for (const auto& layer : layers) Registry<KerasLayer>::instance().add(layer);
  }
};

const RegisterLayers registered_layers{
    {"Conv2D", conv2d},
    {"DepthwiseConv2D", depthwise_conv2d},
    {"SeparableConv2D", separable_conv2d},
    {"Conv2DTranspose", conv2d_transpose},
    {"Dense", dense},
    {"BatchNormalization", batch_normalization},
    {"LayerNormalization", layer_normalization},
    {"MaxPooling2D", [](KerasCall& call) { return pool(call, "MaxPool"); }},
    {"AveragePooling2D", [](KerasCall& call) { return pool(call, "AveragePool"); }},
    {"GlobalAveragePooling2D", [](KerasCall& call) { return global_pool(call, "GlobalAveragePool"); }},
    {"GlobalMaxPooling2D", [](KerasCall& call) { return global_pool(call, "GlobalMaxPool"); }},
    {"Flatten", flatten},
    {"Reshape", reshape},
    {"Permute", permute},
    {"Add", [](KerasCall& call) { return merge(call, "Add"); }},
    {"Subtract", subtract},
    {"Multiply", [](KerasCall& call) { return merge(call, "Mul"); }},
    {"Maximum", [](KerasCall& call) { return merge(call, "Max"); }},
    {"Minimum", [](KerasCall& call) { return merge(call, "Min"); }},
    {"Average", average},
    {"Concatenate", concatenate},
    {"ZeroPadding2D", [](KerasCall& call) { return pad(call, "padding", 1); }},
    {"Cropping2D", [](KerasCall& call) { return pad(call, "cropping", -1); }},
    {"UpSampling2D", up_sampling},
    {"Resizing", resizing},
    {"Rescaling", rescaling},
    {"Normalization", normalization},
    {"Activation", activation},
    {"ReLU", relu_layer},
    {"LeakyReLU", leaky_relu},
    {"ThresholdedReLU", thresholded_relu},
    {"PReLU", prelu},
    {"ELU", elu},
    {"Softmax", softmax},
    // What does something in training only.
    {"Dropout", pass, true},
    {"SpatialDropout2D", pass, true},
    {"AlphaDropout", pass, true},
    {"GaussianDropout", pass, true},
    {"GaussianNoise", pass, true},
    {"ActivityRegularization", pass, true},
    {"RandomFlip", pass, true},
    {"RandomRotation", pass, true},
    {"RandomZoom", pass, true},
    {"RandomTranslation", pass, true},
    {"RandomContrast", pass, true},
    {"RandomBrightness", pass, true},
};

/// Settings that say nothing about what a trained layer computes.
bool is_harmless(const std::string& key) {
  static const std::set<std::string> harmless = {"name",        "trainable",
                                                 "dtype",       "batch_input_shape",
                                                 "batch_shape", "build_input_shape",
                                                 "input_shape", "input_dim",
                                                 "ragged",      "sparse",
                                                 "momentum",    "synchronized",
                                                 "fused",       "input_dtype",
                                                 "autocast",    "virtual_batch_size"};
  const auto ends_with = [&](std::string_view ending) {
    return key.size() > ending.size() && key.compare(key.size() - ending.size(), ending.size(), ending) == 0;
  };
  return harmless.count(key) > 0 || ends_with("_initializer") || ends_with("_regularizer") || ends_with("_constraint");
}

/// Settings that are read at one value alone, at which they have no effect.
const std::map<std::string, nlohmann::json>& only_values() {
  static const std::map<std::string, nlohmann::json> values = {{"groups", 1},  // of a depthwise convolution
                                                               {"renorm", false},
                                                               {"rms_scaling", false},
                                                               {"filters", nullptr},
                                                               {"mode", 0}};
  return values;
}

/// The arithmetic a layer asks for: "float32", or {"class_name": "Policy", "config": {"name": "mixed_float16"}}.
void check_dtype(const KerasCall& call) {
  const auto given = call.setting("dtype");
  const auto& name = given.is_object() && given.contains("config") ? given.at("config").value("name", given) : given;
  if (name.is_null()) return;
  static const std::set<std::string> real = {"float16",  "float32",       "float64",
                                             "bfloat16", "mixed_float16", "mixed_bfloat16"};
  if (!name.is_string() || real.count(name.get<std::string>()) == 0) {
    call.fail(fmt::format("its dtype {} is not supported", name.dump()));
  }
}

/// No network has larger values, and the arithmetic of the next layer's sides must not overflow.
void check_shape(const KerasCall& call, const Shape& shape) {
  constexpr int64_t kMostNumbers = int64_t{1} << 27;
  int64_t numbers = 1;
  for (const int64_t side : shape) {
    if (side < 1 || numbers > kMostNumbers / side) {
      call.fail(fmt::format("would have the shape ({}), which no network's value has", fmt::join(shape, ",")));
    }
    numbers *= side;
  }
}

}  // namespace

KerasValue KerasImage::value() const {
  if (channels_first) return {name, {channels, sides.at(0), sides.at(1)}, false};
  return {name, {sides.at(0), sides.at(1), channels}, true};
}

KerasImage KerasCall::image() {
  if (!input().is_image())
    fail(fmt::format("its input has shape ({}), where an image is needed", fmt::join(input().shape, ",")));
  const bool first = choice("data_format", {"channels_last", "channels_first"}) == "channels_first";
  const auto x = first ? plain(input()) : turned(input());
  if (first) return {x.name, {x.shape[1], x.shape[2]}, x.shape[0], true};
  return {x.name, {x.shape[0], x.shape[1]}, x.shape[2], false};
}

void KerasCall::check_settings() const {
  check_dtype(*this);
  for (const auto& [key, value] : config.items()) {
    if (read.count(key) > 0 || is_harmless(key) || value.is_null()) continue;
    const auto only = only_values().find(key);
    if (only != only_values().end() && only->second == value) continue;
    fail(fmt::format("its setting {} = {} is not supported", key, value.dump()));
  }
}

KerasValue lower_layer(const std::string& class_name, KerasCall& call) {
  const auto& entry = Registry<KerasLayer>::instance().get(class_name);
  try {
    auto value = entry.lower(call);
    check_shape(call, value.shape);
    if (!entry.training_only) call.check_settings();
    return value;
  } catch (const UserError&) {
    throw;
  } catch (const nlohmann::json::exception&) {
    call.fail("one of its settings is missing, or is no value for it");
  } catch (const std::exception& error) {
    call.fail(reason_of(error));
  }
}

namespace {

/// The layers that Keras accepts as an activation and that have no weights.
bool is_activation_layer(const std::string& class_name) {
  static const std::set<std::string> layers = {"ReLU", "LeakyReLU", "ELU", "Softmax", "ThresholdedReLU", "Activation"};
  return layers.count(class_name) > 0;
}

}  // namespace

/// Keras writes a function as its name or, since 3, as {"class_name": "function", "config": name}; a layer as
/// {"class_name": "ReLU", "config": {…}}.
KerasValue KerasCall::activate(KerasValue value, const nlohmann::json& activation) {
  if (activation.is_null()) return value;
  std::string name;
  if (activation.is_string()) {
    name = activation;
  } else if (activation.is_object() && activation.value("config", nlohmann::json()).is_string()) {
    name = activation.at("config");
  } else if (activation.is_object() && activation.value("config", nlohmann::json()).is_object()) {
    const std::string class_name = activation.value("class_name", "");
    if (!is_activation_layer(class_name)) fail(fmt::format("the activation {} is not supported", class_name));
    KerasCall inner{layer, activation.at("config"), {value}, weights, graph, keras3};
    return lower_layer(class_name, inner);
  }
  if (name == "linear") return value;
  if (name == "softmax") return map("Softmax", value, {}, {{"axis", value.turned ? 1 : -1}});
  if (name == "log_softmax") return map("LogSoftmax", value, {}, {{"axis", value.turned ? 1 : -1}});
  if (name == "log_sigmoid") return map("Neg", map("Softplus", map("Neg", value)));
  if (name == "hard_sigmoid") {
    // Keras 2: clip(0.2 x + 0.5); Keras 3: clip(x / 6 + 0.5).
    return map("HardSigmoid", value, {}, {{"alpha", keras3 ? 1.0 / 6 : 0.2}});
  }
  for (const auto& rule : activation_rules()) {
    if (name == rule.name) return map(rule.op, value, {}, rule.attributes);
  }
  fail(fmt::format("the activation {} is not supported", activation.dump()));
}

}  // namespace fercli
