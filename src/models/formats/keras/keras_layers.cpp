// The layers of Keras, in operators of the graph.
#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>

#include "core/error.hpp"
#include "models/formats/keras/keras_layer.hpp"

namespace fercli {

namespace {

using Shape = std::vector<int64_t>;

void require_image(const KerasCall& call) {
  if (!call.input().is_image())
    call.fail(fmt::format("its input has shape ({}), where (H,W,C) is needed", fmt::join(call.input().shape, ",")));
  if (call.word("data_format", "channels_last") != "channels_last") call.fail("channels_first is not supported");
}

/// Attributes of a window, and the sides of its result by TensorFlow's rules.
struct KerasWindow {
  nlohmann::json attributes;
  Shape sides;
};

KerasWindow window_of(const KerasCall& call, const Shape& kernel, const Shape& stride, const Shape& dilation) {
  require_image(call);
  const bool same = call.word("padding", "valid") == "same";
  KerasWindow window{{{"kernel_shape", kernel},
                      {"strides", stride},
                      {"dilations", dilation},
                      {"auto_pad", same ? "SAME_UPPER" : "VALID"}},
                     {}};
  for (size_t d = 0; d < 2; ++d) {
    if (kernel[d] < 1 || stride[d] < 1 || dilation[d] < 1) call.fail("has a kernel, stride or dilation below 1");
    const int64_t side = call.input().shape[d], span = dilation[d] * (kernel[d] - 1) + 1;
    window.sides.push_back(same ? (side + stride[d] - 1) / stride[d] : (side - span) / stride[d] + 1);
    if (window.sides.back() < 1 || (!same && side < span)) call.fail("its window is larger than the image");
  }
  return window;
}

void require_rank(const KerasCall& call, const torch::Tensor& weight, int64_t rank) {
  if (weight.dim() != rank)
    call.fail(fmt::format("a weight has shape ({}), where {} axes are needed", fmt::join(weight.sizes(), ","), rank));
}

void add_bias(KerasCall& call, std::vector<std::string>& inputs) {
  if (call.flag("use_bias", true)) inputs.push_back(call.constant("bias", call.weight("bias")));
}

KerasValue convolve(KerasCall& call, const KerasValue& x, const torch::Tensor& weight, int64_t groups,
                    const KerasWindow& window, bool bias) {
  auto attributes = window.attributes;
  attributes["group"] = groups;
  std::vector<std::string> inputs{x.name, call.constant("kernel", weight.contiguous())};
  if (bias) add_bias(call, inputs);
  return call.add("Conv", inputs, {window.sides[0], window.sides[1], weight.size(0)}, attributes);
}

/// Keras' (kh,kw,in,out) is the graph's (out,in,kh,kw).
KerasValue conv2d(KerasCall& call) {
  const auto kernel = call.weight("kernel");
  require_rank(call, kernel, 4);
  const auto window = window_of(call, kernel.sizes().slice(0, 2).vec(), call.pair("strides", {1, 1}),
                                call.pair("dilation_rate", {1, 1}));
  return call.activate(
      convolve(call, call.input(), kernel.permute({3, 2, 0, 1}), call.integer("groups", 1), window, true),
      call.config.value("activation", nlohmann::json()));
}

/// Keras' (kh,kw,in,multiplier): the results of a channel lie side by side.
torch::Tensor depthwise_weight(const KerasCall& call, const torch::Tensor& kernel) {
  require_rank(call, kernel, 4);
  return kernel.permute({2, 3, 0, 1}).reshape({kernel.size(2) * kernel.size(3), 1, kernel.size(0), kernel.size(1)});
}

KerasValue depthwise_conv2d(KerasCall& call) {
  const auto kernel = call.weight("depthwise_kernel", "kernel");  // Keras 3 has another name
  const auto weight = depthwise_weight(call, kernel);
  const auto window = window_of(call, kernel.sizes().slice(0, 2).vec(), call.pair("strides", {1, 1}),
                                call.pair("dilation_rate", {1, 1}));
  return call.activate(convolve(call, call.input(), weight, kernel.size(2), window, true),
                       call.config.value("activation", nlohmann::json()));
}

KerasValue separable_conv2d(KerasCall& call) {
  const auto depthwise = call.weight("depthwise_kernel"), pointwise = call.weight("pointwise_kernel");
  require_rank(call, pointwise, 4);
  const auto window = window_of(call, depthwise.sizes().slice(0, 2).vec(), call.pair("strides", {1, 1}),
                                call.pair("dilation_rate", {1, 1}));
  const auto spread = convolve(call, call.input(), depthwise_weight(call, depthwise), depthwise.size(2), window, false);
  const KerasWindow point{{{"kernel_shape", {1, 1}}}, window.sides};
  return call.activate(convolve(call, spread, pointwise.permute({3, 2, 0, 1}), 1, point, true),
                       call.config.value("activation", nlohmann::json()));
}

/// Keras' (kh,kw,out,in). "same" gives side * stride, "valid" as much as the windows cover, but no less than that.
KerasValue conv2d_transpose(KerasCall& call) {
  require_image(call);
  const auto kernel = call.weight("kernel");
  require_rank(call, kernel, 4);
  const auto stride = call.pair("strides", {1, 1}), dilation = call.pair("dilation_rate", {1, 1});
  if (!call.config.value("output_padding", nlohmann::json()).is_null()) call.fail("output_padding is not supported");
  const bool same = call.word("padding", "valid") == "same";
  Shape sides, extra;
  for (size_t d = 0; d < 2; ++d) {
    const int64_t side = call.input().shape[d], span = dilation[d] * (kernel.size(static_cast<int64_t>(d)) - 1) + 1;
    extra.push_back(same ? 0 : std::max<int64_t>(stride[d] - span, 0));
    sides.push_back(same ? side * stride[d] : (side - 1) * stride[d] + span + extra[d]);
  }
  std::vector<std::string> inputs{call.input().name,
                                  call.constant("kernel", kernel.permute({3, 2, 0, 1}).contiguous())};
  add_bias(call, inputs);
  nlohmann::json attributes = {{"strides", stride}, {"dilations", dilation}, {"output_padding", extra}};
  if (same) attributes["auto_pad"] = "SAME_UPPER";
  return call.activate(call.add("ConvTranspose", inputs, {sides[0], sides[1], kernel.size(2)}, attributes),
                       call.config.value("activation", nlohmann::json()));
}

/// On the last axis, whatever the rank.
KerasValue dense(KerasCall& call) {
  const auto kernel = call.weight("kernel");
  require_rank(call, kernel, 2);
  const auto& x = call.input();
  auto shape = x.shape;
  if (shape.empty() || shape.back() != kernel.size(0))
    call.fail(fmt::format("its input has shape ({}), its weights ({})", fmt::join(shape, ","),
                          fmt::join(kernel.sizes(), ",")));
  shape.back() = kernel.size(1);
  std::vector<std::string> bias;
  if (call.flag("use_bias", true)) bias.push_back(call.constant("bias", call.weight("bias")));
  KerasValue y;
  if (x.is_image()) {
    const auto weight =
        call.constant("kernel", kernel.t().reshape({kernel.size(1), kernel.size(0), 1, 1}).contiguous());
    std::vector<std::string> inputs{x.name, weight};
    inputs.insert(inputs.end(), bias.begin(), bias.end());
    y = call.add("Conv", inputs, shape);
  } else if (shape.size() == 1) {
    std::vector<std::string> inputs{x.name, call.constant("kernel", kernel)};
    inputs.insert(inputs.end(), bias.begin(), bias.end());
    y = call.add("Gemm", inputs, shape);
  } else {
    y = call.add("MatMul", {x.name, call.constant("kernel", kernel)}, shape);
    if (!bias.empty()) y = call.add("Add", {y.name, bias[0]}, shape);
  }
  return call.activate(y, call.config.value("activation", nlohmann::json()));
}

/// The axis as a place in Keras' shape with the batch in front; lists hold one.
int64_t axis_of(const KerasCall& call, int64_t otherwise) {
  auto axis = call.config.value("axis", nlohmann::json(otherwise));
  if (axis.is_array()) {
    if (axis.size() != 1) call.fail("only one axis is supported");
    axis = axis[0];
  }
  const int64_t place = axis.get<int64_t>(), rank = static_cast<int64_t>(call.inputs.at(0).shape.size()) + 1;
  if (place < -rank || place >= rank) call.fail(fmt::format("axis {} of a value with {} axes", place, rank));
  return place < 0 ? place + rank : place;
}

/// Where that axis lies in the graph.
int64_t graph_axis(const KerasCall& call, int64_t axis) {
  constexpr int64_t kOfImage[] = {0, 2, 3, 1};
  return call.inputs.at(0).is_image() ? kOfImage[axis] : axis;
}

void require_last_axis(const KerasCall& call, int64_t axis) {
  if (axis != static_cast<int64_t>(call.input().shape.size())) call.fail("only the last axis is supported");
}

KerasValue batch_normalization(KerasCall& call) {
  require_last_axis(call, axis_of(call, -1));
  if (call.input().shape.size() == 2) call.fail("only images and vectors are supported");
  const auto ones = torch::ones({call.input().channels()});
  const auto gamma = call.flag("scale", true) ? call.weight("gamma") : ones;
  const auto beta = call.flag("center", true) ? call.weight("beta") : torch::zeros_like(ones);
  const auto mean = call.weight("moving_mean"), variance = call.weight("moving_variance");
  return call.add("BatchNormalization",
                  {call.input().name, call.constant("gamma", gamma), call.constant("beta", beta),
                   call.constant("mean", mean), call.constant("variance", variance)},
                  call.input().shape, {{"epsilon", call.number("epsilon", 1e-3)}});
}

KerasValue layer_normalization(KerasCall& call) {
  require_last_axis(call, axis_of(call, -1));
  const auto x = call.in_keras_order(call.input());
  const auto ones = torch::ones({x.channels()});
  const auto gamma = call.flag("scale", true) ? call.weight("gamma") : ones;
  const auto beta = call.flag("center", true) ? call.weight("beta") : torch::zeros_like(ones);
  return call.from_keras_order(call.add("LayerNormalization",
                                        {x.name, call.constant("gamma", gamma), call.constant("beta", beta)}, x.shape,
                                        {{"axis", -1}, {"epsilon", call.number("epsilon", 1e-3)}}));
}

KerasValue pool(KerasCall& call, const char* op) {
  const auto size = call.pair("pool_size", {2, 2});
  const auto window = window_of(call, size, call.pair("strides", size), {1, 1});
  auto attributes = window.attributes;
  attributes.erase("dilations");
  return call.add(op, {call.input().name}, {window.sides[0], window.sides[1], call.input().channels()}, attributes);
}

KerasValue global_pool(KerasCall& call, const char* op) {
  require_image(call);
  const int64_t channels = call.input().channels();
  const auto y = call.add(op, {call.input().name}, {1, 1, channels});
  return call.flag("keepdims", false) ? y : call.add("Flatten", {y.name}, {channels});
}

int64_t product(const Shape& shape) {
  int64_t count = 1;
  for (const int64_t side : shape) count *= side;
  return count;
}

KerasValue flatten(KerasCall& call) {
  auto x = call.input();
  if (x.is_image() && x.shape[0] * x.shape[1] > 1) x = call.in_keras_order(x);
  return call.add("Flatten", {x.name}, {product(call.input().shape)});
}

KerasValue reshape(KerasCall& call) {
  auto shape = call.config.at("target_shape").get<Shape>();
  const int64_t count = product(call.input().shape), known = std::abs(product(shape));
  for (int64_t& side : shape) {
    if (side == -1 && known > 0) side = count / known;
  }
  if (product(shape) != count)
    call.fail(fmt::format("cannot make ({}) of ({})", fmt::join(shape, ","), fmt::join(call.input().shape, ",")));
  const auto x = call.in_keras_order(call.input());
  Shape target{0};
  target.insert(target.end(), shape.begin(), shape.end());
  return call.from_keras_order(
      call.add("Reshape", {x.name, call.constant("shape", torch::tensor(target, torch::kInt64))}, shape));
}

KerasValue permute(KerasCall& call) {
  const auto dims = call.config.at("dims").get<Shape>();
  if (dims.size() != call.input().shape.size()) call.fail("its dims do not fit its input");
  Shape order{0}, shape;
  for (const int64_t d : dims) {
    if (d < 1 || d > static_cast<int64_t>(dims.size())) call.fail("its dims do not fit its input");
    order.push_back(d);
    shape.push_back(call.input().shape[static_cast<size_t>(d) - 1]);
  }
  const auto x = call.in_keras_order(call.input());
  return call.from_keras_order(call.add("Transpose", {x.name}, shape, {{"perm", order}}));
}

/// Inputs of lower rank get sides of one in front, as Keras does.
KerasValue merge(KerasCall& call, const char* op) {
  size_t rank = 0;
  for (const auto& x : call.inputs) rank = std::max(rank, x.shape.size());
  KerasValue sum;
  for (auto x : call.inputs) {
    if (x.shape.size() < rank) {
      if (rank != 3 || x.shape.size() != 1) call.fail("inputs of these ranks cannot be merged");
      x = call.add("Unsqueeze", {x.name, call.constant("axes", torch::tensor({2, 3}, torch::kInt64))},
                   {1, 1, x.channels()});
    }
    if (sum.name.empty()) {
      sum = x;
      continue;
    }
    Shape shape;
    for (size_t d = 0; d < rank; ++d) {
      if (sum.shape[d] != x.shape[d] && sum.shape[d] != 1 && x.shape[d] != 1)
        call.fail(fmt::format("inputs of shapes ({}) and ({}) cannot be merged", fmt::join(sum.shape, ","),
                              fmt::join(x.shape, ",")));
      shape.push_back(std::max(sum.shape[d], x.shape[d]));
    }
    sum = call.add(op, {sum.name, x.name}, shape);
  }
  if (sum.name.empty()) call.fail("has no inputs");
  return sum;
}

KerasValue average(KerasCall& call) {
  const auto sum = merge(call, "Add");
  return call.add("Mul",
                  {sum.name, call.constant("share", torch::tensor(1.0F / static_cast<float>(call.inputs.size())))},
                  sum.shape);
}

KerasValue concatenate(KerasCall& call) {
  const int64_t axis = axis_of(call, -1);
  if (axis < 1) call.fail("cannot join along the batch");
  Shape shape = call.inputs[0].shape;
  std::vector<std::string> names;
  auto& side = shape[static_cast<size_t>(axis) - 1];
  side = 0;
  for (const auto& x : call.inputs) {
    if (x.shape.size() != shape.size()) call.fail("its inputs have different ranks");
    side += x.shape[static_cast<size_t>(axis) - 1];
    names.push_back(x.name);
  }
  return call.add("Concat", names, shape, {{"axis", graph_axis(call, axis)}});
}

/// {{top, bottom}, {left, right}} of a number, two numbers or two pairs.
std::array<Shape, 2> margins(const KerasCall& call, const char* key) {
  const auto& value = call.config.at(key);
  if (value.is_number()) return {Shape{value, value}, Shape{value, value}};
  if (value.at(0).is_number()) return {Shape{value.at(0), value.at(0)}, Shape{value.at(1), value.at(1)}};
  return {Shape{value.at(0).at(0), value.at(0).at(1)}, Shape{value.at(1).at(0), value.at(1).at(1)}};
}

/// Negative margins crop.
KerasValue pad(KerasCall& call, const char* key, int64_t sign) {
  require_image(call);
  const auto [rows, columns] = margins(call, key);
  const Shape pads{0, 0, sign * rows[0], sign * columns[0], 0, 0, sign * rows[1], sign * columns[1]};
  const auto& x = call.input().shape;
  const Shape shape{x[0] + pads[2] + pads[6], x[1] + pads[3] + pads[7], x[2]};
  if (shape[0] < 1 || shape[1] < 1) call.fail("leaves nothing of the image");
  return call.add("Pad", {call.input().name, call.constant("pads", torch::tensor(pads, torch::kInt64))}, shape);
}

/// `nearest`: which pixel is the nearest, in ONNX's words.
KerasValue resized(KerasCall& call, const Shape& sides, const nlohmann::json& nearest) {
  require_image(call);
  const std::string rule = call.word("interpolation", "nearest");
  if (rule != "nearest" && rule != "bilinear") call.fail(fmt::format("interpolation '{}' is not supported", rule));
  const Shape sizes{1, call.input().channels(), sides[0], sides[1]};
  nlohmann::json attributes = {{"mode", "linear"}, {"coordinate_transformation_mode", "half_pixel"}};
  if (rule == "nearest") attributes = nearest;
  return call.add("Resize", {call.input().name, "", "", call.constant("sizes", torch::tensor(sizes, torch::kInt64))},
                  {sides[0], sides[1], call.input().channels()}, attributes);
}

KerasValue up_sampling(KerasCall& call) {
  require_image(call);
  const auto factor = call.pair("size", {2, 2});
  return resized(call, {call.input().shape[0] * factor[0], call.input().shape[1] * factor[1]},
                 {{"mode", "nearest"}, {"coordinate_transformation_mode", "asymmetric"}, {"nearest_mode", "floor"}});
}

KerasValue resizing(KerasCall& call) {
  const Shape sides{call.integer("height", 0), call.integer("width", 0)};
  if (sides[0] < 1 || sides[1] < 1) call.fail("leaves no pixel");
  for (const char* key : {"crop_to_aspect_ratio", "pad_to_aspect_ratio"}) {
    if (call.flag(key, false)) call.fail(fmt::format("{} is not supported", key));
  }
  // The pixel in which the centre of the new one lies.
  return resized(
      call, sides,
      {{"mode", "nearest"}, {"coordinate_transformation_mode", "half_pixel"}, {"nearest_mode", "round_prefer_ceil"}});
}

/// A number or one for each channel, ready to be joined with the input.
torch::Tensor per_channel(const KerasCall& call, const nlohmann::json& value) {
  if (value.is_number()) return torch::tensor(value.get<float>());
  auto values = torch::tensor(value.get<std::vector<float>>());
  return call.input().is_image() ? values.view({-1, 1, 1}) : values;
}

KerasValue affine(KerasCall& call, const torch::Tensor& factor, const torch::Tensor& shift) {
  const auto& x = call.input();
  const auto scaled = call.add("Mul", {x.name, call.constant("scale", factor)}, x.shape);
  return call.add("Add", {scaled.name, call.constant("offset", shift)}, x.shape);
}

KerasValue rescaling(KerasCall& call) {
  return affine(call, per_channel(call, call.config.at("scale")),
                per_channel(call, call.config.value("offset", nlohmann::json(0.0))));
}

/// (x - mean) / max(sqrt(variance), 1e-7), learnt from data (weights) or given.
KerasValue normalization(KerasCall& call) {
  require_last_axis(call, axis_of(call, -1));
  if (call.flag("invert", false)) call.fail("invert is not supported");
  const bool given = !call.config.value("mean", nlohmann::json()).is_null();
  const auto flat = [&](const char* key) {
    const auto values = given ? per_channel(call, call.config.at(key)) : call.weight(key);
    return call.input().is_image() && values.numel() > 1 ? values.reshape({-1, 1, 1}) : values.reshape({-1});
  };
  const auto mean = flat("mean"), deviation = flat("variance").sqrt().clamp_min(1e-7);
  return affine(call, 1 / deviation, -mean / deviation);
}

KerasValue relu_layer(KerasCall& call) {
  const auto& x = call.input();
  const double slope = call.number("negative_slope", 0), threshold = call.number("threshold", 0);
  if (threshold != 0) call.fail("a threshold is not supported");
  auto y =
      slope == 0 ? call.add("Relu", {x.name}, x.shape) : call.add("LeakyRelu", {x.name}, x.shape, {{"alpha", slope}});
  const double most = call.number("max_value", -1);
  return most < 0 ? y : call.add("Clip", {y.name}, x.shape, {{"max", most}});
}

KerasValue leaky_relu(KerasCall& call) {
  const double slope = call.number("negative_slope", call.number("alpha", 0.3));
  return call.add("LeakyRelu", {call.input().name}, call.input().shape, {{"alpha", slope}});
}

KerasValue prelu(KerasCall& call) {
  auto slope = call.weight("alpha");
  if (call.input().is_image()) {
    require_rank(call, slope, 3);
    slope = slope.permute({2, 0, 1}).contiguous();
  }
  return call.add("PRelu", {call.input().name, call.constant("alpha", slope)}, call.input().shape);
}

KerasValue elu(KerasCall& call) {
  return call.add("Elu", {call.input().name}, call.input().shape, {{"alpha", call.number("alpha", 1)}});
}

KerasValue softmax(KerasCall& call) {
  return call.add("Softmax", {call.input().name}, call.input().shape, {{"axis", graph_axis(call, axis_of(call, -1))}});
}

KerasValue activation(KerasCall& call) {
  return call.activate(call.input(), call.config.at("activation"));
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
      {"leaky_relu", "LeakyRelu", {{"alpha", 0.2}}},
      {"elu", "Elu", none},
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
    {"Subtract", [](KerasCall& call) { return merge(call, "Sub"); }},
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
    {"PReLU", prelu},
    {"ELU", elu},
    {"Softmax", softmax},
    // What does something in training only.
    {"Dropout", pass},
    {"SpatialDropout2D", pass},
    {"AlphaDropout", pass},
    {"GaussianDropout", pass},
    {"GaussianNoise", pass},
    {"ActivityRegularization", pass},
    {"RandomFlip", pass},
    {"RandomRotation", pass},
    {"RandomZoom", pass},
    {"RandomTranslation", pass},
    {"RandomContrast", pass},
    {"RandomBrightness", pass},
};

}  // namespace

KerasValue KerasCall::activate(KerasValue value, const nlohmann::json& activation) {
  if (activation.is_null()) return value;
  std::string name;
  if (activation.is_string()) {
    name = activation;
  } else if (activation.is_object()) {  // Keras 3 writes functions and layers as objects
    const auto& inner = activation.contains("config") ? activation.at("config") : activation;
    name = inner.is_string() ? inner.get<std::string>() : to_lower(activation.value("class_name", ""));
  }
  if (name == "linear") return value;
  if (name == "softmax") return add("Softmax", {value.name}, value.shape, {{"axis", value.is_image() ? 1 : -1}});
  if (name == "hard_sigmoid") {
    // Keras 2: clip(0.2 x + 0.5); Keras 3: clip(x / 6 + 0.5).
    return add("HardSigmoid", {value.name}, value.shape, {{"alpha", keras3 ? 1.0 / 6 : 0.2}});
  }
  for (const auto& rule : activation_rules()) {
    if (name == rule.name) return add(rule.op, {value.name}, value.shape, rule.attributes);
  }
  fail(fmt::format("the activation {} is not supported", activation.dump()));
}

}  // namespace fercli
