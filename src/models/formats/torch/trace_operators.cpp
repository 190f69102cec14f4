// LibTorch's operators, as traces record them, in operators of the graph.
#include <ATen/ATen.h>

#include "models/formats/torch/trace_operator.hpp"

namespace fercli {

namespace {

using Shape = std::vector<int64_t>;

nlohmann::json window(const Shape& kernel, const Shape& stride, const Shape& padding, const Shape& dilation) {
  return {{"kernel_shape", kernel},
          {"strides", stride.empty() ? kernel : stride},
          {"pads", {padding[0], padding[1], padding[0], padding[1]}},
          {"dilations", dilation}};
}

std::string convolution(TraceCall& call, bool transposed, const Shape& extra, int64_t groups, const Shape& dilation) {
  const auto sizes = call.input_sizes(1);
  if (sizes.size() != 4) call.fail("only two-dimensional convolutions are supported");
  auto attributes = window({sizes[2], sizes[3]}, call.pair(3), call.pair(4), dilation);
  attributes["group"] = groups;
  std::vector<std::string> inputs{call.value(0), call.value(1)};
  if (!call.is_none(2)) inputs.push_back(call.value(2));
  if (!transposed) return call.add("Conv", inputs, attributes);
  attributes["output_padding"] = extra;
  return call.add("ConvTranspose", inputs, attributes);
}

/// (input, weight, bias, stride, padding, dilation, transposed, output_padding, groups, …)
std::string any_convolution(TraceCall& call) {
  return convolution(call, call.flag(6), call.pair(7), call.integer(8), call.pair(5));
}

/// (input, weight, bias, stride, padding, dilation, groups)
std::string conv2d(TraceCall& call) {
  return convolution(call, false, {}, call.integer(6), call.pair(5));
}

/// (input, weight, bias, stride, padding, output_padding, groups, dilation)
std::string conv_transpose2d(TraceCall& call) {
  return convolution(call, true, call.pair(5), call.integer(6), call.pair(7));
}

/// (input, weight, bias, running_mean, running_var, training, momentum, eps, cudnn)
std::string batch_norm(TraceCall& call) {
  if (call.flag(5)) call.fail("is in training mode");
  const auto mean = call.tensor(3), ones = torch::ones_like(mean);
  const auto weight = call.is_none(1) ? call.add_constant(ones) : call.value(1);
  const auto bias = call.is_none(2) ? call.add_constant(torch::zeros_like(mean)) : call.value(2);
  return call.add("BatchNormalization", {call.value(0), weight, bias, call.value(3), call.value(4)},
                  {{"epsilon", call.number(7)}});
}

/// (input, weight, bias)
std::string linear(TraceCall& call) {
  const bool rows = call.input_sizes(0).size() == 2;
  std::vector<std::string> inputs{call.value(0), call.value(1)};
  const bool bias = call.size() > 2 && !call.is_none(2);
  if (rows) {
    if (bias) inputs.push_back(call.value(2));
    return call.add("Gemm", inputs, {{"transB", 1}});
  }
  const auto y = call.add("MatMul", {inputs[0], call.add_constant(call.tensor(1).t().contiguous())});
  return bias ? call.add("Add", {y, call.value(2)}) : y;
}

/// (bias, input, weight, beta, alpha)
std::string addmm(TraceCall& call) {
  return call.add("Gemm", {call.value(1), call.value(2), call.value(0)},
                  {{"beta", call.number(3)}, {"alpha", call.number(4)}});
}

/// (input, kernel, stride, padding, dilation, ceil)
std::string max_pool2d(TraceCall& call) {
  auto attributes = window(call.pair(1), call.pair(2), call.pair(3), call.pair(4));
  attributes["ceil_mode"] = static_cast<int>(call.flag(5));
  return call.add("MaxPool", {call.value(0)}, attributes);
}

/// (input, kernel, stride, padding, ceil, count_include_pad, divisor)
std::string avg_pool2d(TraceCall& call) {
  if (!call.is_none(6)) call.fail("a divisor of its own is not supported");
  auto attributes = window(call.pair(1), call.pair(2), call.pair(3), {1, 1});
  attributes.erase("dilations");
  attributes["ceil_mode"] = static_cast<int>(call.flag(4));
  attributes["count_include_pad"] = static_cast<int>(call.flag(5));
  return call.add("AveragePool", {call.value(0)}, attributes);
}

/// Whole windows only: others differ from place to place.
std::string adaptive_pool(TraceCall& call, const char* global, const char* op) {
  const auto sides = call.pair(1), sizes = call.input_sizes(0);
  if (sides == Shape{1, 1}) return call.add(global, {call.value(0)});
  if (sizes.size() != 4 || sizes[2] % sides[0] != 0 || sizes[3] % sides[1] != 0)
    call.fail("its windows are not all of one size");
  const Shape kernel{sizes[2] / sides[0], sizes[3] / sides[1]};
  auto attributes = window(kernel, kernel, {0, 0}, {1, 1});
  attributes.erase("dilations");
  return call.add(op, {call.value(0)}, attributes);
}

/// (input, dims, keepdim, …)
std::string reduce(TraceCall& call, const char* op) {
  nlohmann::json attributes = {{"keepdims", static_cast<int>(call.flag(2))}};
  if (!call.is_none(1)) attributes["axes"] = call.integers(1);
  return call.add(op, {call.value(0)}, attributes);
}

std::string reshaped(TraceCall& call, const Shape& shape) {
  return call.add("Reshape", {call.value(0), call.add_constant(torch::tensor(call.free_batch(shape), torch::kInt64))});
}

/// (input, start, end): the result's shape is known from the run.
std::string flatten(TraceCall& call) {
  auto shape = call.input_sizes(0);
  const auto rank = static_cast<int64_t>(shape.size());
  const auto place = [&](int64_t d) { return d < 0 ? d + rank : d; };
  const int64_t begin = place(call.integer(1)), end = place(call.integer(2));
  if (begin == 1 && end == rank - 1) return call.add("Flatten", {call.value(0)});
  int64_t joined = 1;
  for (int64_t d = begin; d <= end; ++d) joined *= shape[static_cast<size_t>(d)];
  shape.erase(shape.begin() + begin, shape.begin() + end + 1);
  shape.insert(shape.begin() + begin, joined);
  return reshaped(call, shape);
}

/// (input, a, b)
std::string transpose(TraceCall& call) {
  Shape order;
  const auto rank = static_cast<int64_t>(call.input_sizes(0).size());
  for (int64_t d = 0; d < rank; ++d) order.push_back(d);
  const auto place = [&](int64_t d) { return static_cast<size_t>(d < 0 ? d + rank : d); };
  std::swap(order.at(place(call.integer(1))), order.at(place(call.integer(2))));
  return call.add("Transpose", {call.value(0)}, {{"perm", order}});
}

/// (input), (input, dim) or (input, dims): sides of one are left out. The traced batch is none.
std::string squeeze(TraceCall& call) {
  const auto sizes = call.input_sizes(0);
  const auto rank = static_cast<int64_t>(sizes.size());
  std::vector<bool> chosen(sizes.size(), call.size() < 2);
  for (const int64_t d : call.size() < 2 ? Shape() : call.integers(1)) {
    chosen.at(static_cast<size_t>(d < 0 ? d + rank : d)) = true;
  }
  Shape shape;
  for (size_t d = 0; d < sizes.size(); ++d) {
    if (!chosen[d] || sizes[d] != 1) shape.push_back(sizes[d]);
  }
  return reshaped(call, shape);
}

std::string unsqueeze(TraceCall& call) {
  return call.add("Unsqueeze", {call.value(0), call.add_constant(torch::tensor({call.integer(1)}, torch::kInt64))});
}

/// (a, b, alpha): a + alpha b.
std::string add_scaled(TraceCall& call, const char* op, bool swapped) {
  std::string a = call.operand(0), b = call.operand(1);
  if (call.size() > 2 && call.number(2) != 1)
    b = call.add("Mul", {b, call.add_constant(torch::tensor(static_cast<float>(call.number(2))))});
  return swapped ? call.add(op, {b, a}) : call.add(op, {a, b});
}

std::string binary(TraceCall& call, const char* op) {
  return call.add(op, {call.operand(0), call.operand(1)});
}

std::string unary(TraceCall& call, const char* op) {
  return call.add(op, {call.value(0)});
}

std::string clip(TraceCall& call) {
  nlohmann::json attributes = nlohmann::json::object();
  if (!call.is_none(1)) attributes["min"] = call.number(1);
  if (call.size() > 2 && !call.is_none(2)) attributes["max"] = call.number(2);
  return call.add("Clip", {call.value(0)}, attributes);
}

/// (input, dim, start, end, step)
std::string slice(TraceCall& call) {
  const auto one = [&](size_t i, int64_t otherwise) {
    return call.add_constant(torch::tensor({call.is_none(i) ? otherwise : call.integer(i)}, torch::kInt64));
  };
  return call.add("Slice", {call.value(0), one(2, 0), one(3, INT64_MAX), one(1, 0), one(4, 1)});
}

/// (input, dim, index)
std::string select(TraceCall& call) {
  return call.add("Gather", {call.value(0), call.add_constant(torch::tensor(call.integer(2), torch::kInt64))},
                  {{"axis", call.integer(1)}});
}

/// LibTorch's pairs begin at the last axis.
std::string pad(TraceCall& call, const char* mode) {
  const auto pairs = call.integers(1);
  const size_t rank = call.input_sizes(0).size();
  Shape pads(2 * rank, 0);
  for (size_t i = 0; i < pairs.size() / 2 && i < rank; ++i) {
    pads[rank - 1 - i] = pairs[2 * i];
    pads[2 * rank - 1 - i] = pairs[2 * i + 1];
  }
  std::vector<std::string> inputs{call.value(0), call.add_constant(torch::tensor(pads, torch::kInt64))};
  if (std::string(mode) == "constant")
    inputs.push_back(call.add_constant(torch::tensor(static_cast<float>(call.number(2)))));
  return call.add("Pad", inputs, {{"mode", mode}});
}

/// (input, size, …) with the sizes known from the run. Where float32 cannot hold a scale exactly, the sizes themselves
/// are written: the image would else be a pixel short, or lie a little aside.
std::string upsample(TraceCall& call, const char* mode, const char* transformation) {
  if (call.is_none(1)) call.fail("is given scales, where sizes are supported");
  const auto sizes = call.pair(1), input = call.input_sizes(0);
  const auto scale = [&](size_t d) { return static_cast<float>(sizes[d]) / static_cast<float>(input[d + 2]); };
  const auto is_exact = [&](size_t d) {
    return static_cast<double>(scale(d)) * static_cast<double>(input[d + 2]) == static_cast<double>(sizes[d]);
  };
  std::vector<std::string> inputs{call.value(0), ""};
  if (is_exact(0) && is_exact(1)) {
    inputs.push_back(call.add_constant(torch::tensor({1.0F, 1.0F, scale(0), scale(1)})));
  } else {
    const Shape shape{input[0], input[1], sizes[0], sizes[1]};
    inputs.insert(inputs.end(), {"", call.add_constant(torch::tensor(shape, torch::kInt64))});
  }
  return call.add("Resize", inputs,
                  {{"mode", mode}, {"coordinate_transformation_mode", transformation}, {"nearest_mode", "floor"}});
}

/// (input, shape, weight, bias, eps, …)
std::string layer_norm(TraceCall& call) {
  std::vector<std::string> inputs{call.value(0)};
  const auto shape = call.integers(1);
  inputs.push_back(call.is_none(2) ? call.add_constant(torch::ones(shape)) : call.value(2));
  if (!call.is_none(3)) inputs.push_back(call.value(3));
  return call.add("LayerNormalization", inputs,
                  {{"axis", -static_cast<int64_t>(shape.size())}, {"epsilon", call.number(4)}});
}

/// One slope, or one for each channel.
std::string prelu(TraceCall& call) {
  const auto slope = call.tensor(1);
  const bool image = call.input_sizes(0).size() == 4;
  return call.add("PRelu", {call.value(0), call.add_constant(image ? slope.reshape({-1, 1, 1}) : slope)});
}

std::string scaled_elu(TraceCall& call) {
  if (call.number(2) != 1 || call.number(3) != 1) call.fail("only plain ELU is supported");
  return call.add("Elu", {call.value(0)}, {{"alpha", call.number(1)}});
}

std::string pixel_shuffle(TraceCall& call) {
  return call.add("DepthToSpace", {call.value(0)}, {{"blocksize", call.integer(1)}, {"mode", "CRD"}});
}

std::string pass(TraceCall& call) {
  return call.value(0);
}

std::string dropout(TraceCall& call) {
  if (call.flag(2)) call.fail("is in training mode");
  return call.value(0);
}

struct RegisterTable {
  RegisterTable(std::initializer_list<TraceOperator> table) {
    for (const auto& entry : table) Registry<TraceOperator>::instance().add(entry);
  }
};

const RegisterTable registered{
    {"aten::_convolution", any_convolution},
    {"aten::conv2d", conv2d},
    {"aten::conv_transpose2d", conv_transpose2d},
    {"aten::batch_norm", batch_norm},
    {"aten::linear", linear},
    {"aten::addmm", addmm},
    {"aten::mm", [](TraceCall& c) { return binary(c, "MatMul"); }},
    {"aten::matmul", [](TraceCall& c) { return binary(c, "MatMul"); }},
    {"aten::bmm", [](TraceCall& c) { return binary(c, "MatMul"); }},
    {"aten::layer_norm", layer_norm},
    {"aten::max_pool2d", max_pool2d},
    {"aten::avg_pool2d", avg_pool2d},
    {"aten::adaptive_avg_pool2d", [](TraceCall& c) { return adaptive_pool(c, "GlobalAveragePool", "AveragePool"); }},
    {"aten::adaptive_max_pool2d", [](TraceCall& c) { return adaptive_pool(c, "GlobalMaxPool", "MaxPool"); }},
    {"aten::mean", [](TraceCall& c) { return reduce(c, "ReduceMean"); }},
    {"aten::sum", [](TraceCall& c) { return reduce(c, "ReduceSum"); }},
    {"aten::amax", [](TraceCall& c) { return reduce(c, "ReduceMax"); }},
    {"aten::amin", [](TraceCall& c) { return reduce(c, "ReduceMin"); }},
    {"aten::flatten", flatten},
    {"aten::view", [](TraceCall& c) { return reshaped(c, c.integers(1)); }},
    {"aten::reshape", [](TraceCall& c) { return reshaped(c, c.integers(1)); }},
    {"aten::permute",
     [](TraceCall& c) {
       return c.add("Transpose", {c.value(0)}, {{"perm", c.integers(1)}});
     }},
    {"aten::transpose", transpose},
    {"aten::t",
     [](TraceCall& c) {
       return c.add("Transpose", {c.value(0)}, {{"perm", {1, 0}}});
     }},
    {"aten::squeeze", squeeze},
    {"aten::unsqueeze", unsqueeze},
    {"aten::cat",
     [](TraceCall& c) {
       return c.add("Concat", c.values(0), {{"axis", c.integer(1)}});
     }},
    {"aten::slice", slice},
    {"aten::select", select},
    {"aten::constant_pad_nd", [](TraceCall& c) { return pad(c, "constant"); }},
    {"aten::reflection_pad2d", [](TraceCall& c) { return pad(c, "reflect"); }},
    {"aten::replication_pad2d", [](TraceCall& c) { return pad(c, "edge"); }},
    {"aten::upsample_nearest2d", [](TraceCall& c) { return upsample(c, "nearest", "asymmetric"); }},
    {"aten::upsample_bilinear2d",
     [](TraceCall& c) { return upsample(c, "linear", c.flag(2) ? "align_corners" : "half_pixel"); }},
    {"aten::pixel_shuffle", pixel_shuffle},
    {"aten::add", [](TraceCall& c) { return add_scaled(c, "Add", false); }},
    {"aten::sub", [](TraceCall& c) { return add_scaled(c, "Sub", false); }},
    {"aten::rsub", [](TraceCall& c) { return add_scaled(c, "Sub", true); }},
    {"aten::mul", [](TraceCall& c) { return binary(c, "Mul"); }},
    {"aten::div", [](TraceCall& c) { return binary(c, "Div"); }},
    {"aten::pow", [](TraceCall& c) { return binary(c, "Pow"); }},
    {"aten::maximum", [](TraceCall& c) { return binary(c, "Max"); }},
    {"aten::minimum", [](TraceCall& c) { return binary(c, "Min"); }},
    {"aten::relu", [](TraceCall& c) { return unary(c, "Relu"); }},
    {"aten::leaky_relu",
     [](TraceCall& c) {
       return c.add("LeakyRelu", {c.value(0)}, {{"alpha", c.number(1)}});
     }},
    {"aten::prelu", prelu},
    {"aten::elu", scaled_elu},
    {"aten::selu", [](TraceCall& c) { return unary(c, "Selu"); }},
    {"aten::celu",
     [](TraceCall& c) {
       return c.add("Celu", {c.value(0)}, {{"alpha", c.number(1)}});
     }},
    {"aten::gelu",
     [](TraceCall& c) {
       return c.add("Gelu", {c.value(0)}, {{"approximate", c.word(1)}});
     }},
    {"aten::silu", [](TraceCall& c) { return unary(c, "Silu"); }},
    {"aten::mish", [](TraceCall& c) { return unary(c, "Mish"); }},
    {"aten::hardtanh", clip},
    {"aten::relu6",
     [](TraceCall& c) {
       return c.add("Clip", {c.value(0)}, {{"min", 0}, {"max", 6}});
     }},
    {"aten::hardswish", [](TraceCall& c) { return unary(c, "HardSwish"); }},
    {"aten::hardsigmoid",
     [](TraceCall& c) {
       return c.add("HardSigmoid", {c.value(0)}, {{"alpha", 1.0 / 6}, {"beta", 0.5}});
     }},
    {"aten::sigmoid", [](TraceCall& c) { return unary(c, "Sigmoid"); }},
    {"aten::tanh", [](TraceCall& c) { return unary(c, "Tanh"); }},
    {"aten::softplus", [](TraceCall& c) { return unary(c, "Softplus"); }},
    {"aten::softmax",
     [](TraceCall& c) {
       return c.add("Softmax", {c.value(0)}, {{"axis", c.integer(1)}});
     }},
    {"aten::log_softmax",
     [](TraceCall& c) {
       return c.add("LogSoftmax", {c.value(0)}, {{"axis", c.integer(1)}});
     }},
    {"aten::clamp", clip},
    {"aten::clamp_min", clip},
    {"aten::clamp_max",
     [](TraceCall& c) {
       return c.add("Clip", {c.value(0)}, {{"max", c.number(1)}});
     }},
    {"aten::exp", [](TraceCall& c) { return unary(c, "Exp"); }},
    {"aten::sqrt", [](TraceCall& c) { return unary(c, "Sqrt"); }},
    {"aten::neg", [](TraceCall& c) { return unary(c, "Neg"); }},
    {"aten::abs", [](TraceCall& c) { return unary(c, "Abs"); }},
    {"aten::square",
     [](TraceCall& c) {
       return c.add("Mul", {c.value(0), c.value(0)});
     }},
    {"aten::dropout", dropout},
    {"aten::feature_dropout", dropout},
    {"aten::contiguous", pass},
    {"aten::to", pass},
    {"aten::detach", pass},
    {"aten::clone", pass},
    {"aten::alias", pass},
};

}  // namespace

}  // namespace fercli
