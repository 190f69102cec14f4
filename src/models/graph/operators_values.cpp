// Operators that work on values one by one, or sum over axes: activations, arithmetic, reductions.
#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "core/tensor_list.hpp"
#include "models/graph/attributes.hpp"
#include "models/graph/onnx_draft.hpp"

namespace fercli::graph_operators_values {

namespace {

bool is_float(const torch::Tensor& x) {
  return at::isFloatingType(x.scalar_type());
}

/// Two inputs with numpy's broadcasting. Of two floating types the larger tensor's is taken: a feature map times a
/// gate stays in the arithmetic of the map.
template <class Function>
Tensors pairwise(const OperatorCall& c, const Function& function) {
  auto a = c[0], b = c[1];
  c.broadcast(a.sizes(), b.sizes());
  if (is_float(a) && is_float(b) && a.scalar_type() != b.scalar_type()) {
    const auto type = a.numel() >= b.numel() ? a.scalar_type() : b.scalar_type();
    a = a.to(type), b = b.to(type);
  }
  return {function(a, b)};
}

/// Whole numbers are divided as C does, but for the least one by -1, at which processors stop.
torch::Tensor divide(const torch::Tensor& a, const torch::Tensor& b) {
  if (is_float(a)) return a / b;
  if ((b == 0).any().item<bool>()) throw std::invalid_argument("division of whole numbers by zero");
  const auto opposite = b == -1;
  return at::where(opposite, -a, at::div(a, b.masked_fill(opposite, 1), "trunc"));
}

/// Any number of inputs, two by two.
template <class Function>
Tensors fold(const OperatorCall& c, const Function& function) {
  auto sum = c[0];
  for (size_t i = 1; i < c.size(); ++i) {
    c.broadcast(sum.sizes(), c[i].sizes());
    sum = function(sum, c[i]);
  }
  return {sum};
}

Tensors clip(const OperatorCall& c) {
  auto y = c[0];
  if (c.has(1)) y = at::clamp_min(y, c[1].item());
  if (c.has(2)) y = at::clamp_max(y, c[2].item());
  if (c.given("min")) y = at::clamp_min(y, c.number("min", 0));
  if (c.given("max")) y = at::clamp_max(y, c.number("max", 0));
  return {y};
}

/// The slope is broadcast to x as numpy does, from the last axis on: one of shape (C) belongs to the last axis, one for
/// each channel of an image has the shape (C,1,1).
Tensors prelu(const OperatorCall& c) {
  const auto slope = c[1].to(c[0].scalar_type());
  const auto x = c[0].sizes(), s = slope.sizes();
  bool fits = s.size() <= x.size();
  for (size_t d = 0; fits && d < s.size(); ++d) fits = s[d] == 1 || s[d] == x[x.size() - s.size() + d];
  if (!fits) {
    const auto image = x.size() == 4 ? fmt::format(", ({},1,1)", x[1]) : "";
    c.fail(
        fmt::format("its slope has the shape ({}) and its input ({}): allowed are one number, ({}){} and what else "
                    "stretches to the input",
                    fmt::join(s, ","), fmt::join(x, ","), x.empty() ? 1 : x.back(), image));
  }
  return {at::clamp_min(c[0], 0) + slope * at::clamp_max(c[0], 0)};
}

Tensors selu(const OperatorCall& c) {
  const double alpha = c.number("alpha", 1.67326319217681884765625),
               gamma = c.number("gamma", 1.05070102214813232421875);
  return {at::elu(c[0], alpha, gamma)};
}

Tensors gelu(const OperatorCall& c) {
  return {at::gelu(c[0], c.word("approximate", "none"))};
}

/// x (1 + f) / 2, where f is erf(x / sqrt(2)), or tanh(sqrt(2 / pi) (x + 0.044715 x^3)).
void write_gelu(GraphNode node, OnnxDraft& draft) {
  const auto by = [&](const std::string& a, const std::string& b) { return draft.add(node, "Mul", {a, b}); };
  const auto plus_one = [&](const std::string& a) { return draft.add(node, "Add", {a, draft.scalar(1)}); };
  const auto& x = node.inputs[0];
  std::string f;
  if (node.attributes.value("approximate", "none") == "none") {
    f = draft.add(node, "Erf", {by(x, draft.scalar(0.70710678F))});
  } else {
    const auto bend = plus_one(by(by(x, x), draft.scalar(0.044715F)));
    f = draft.add(node, "Tanh", {by(by(x, bend), draft.scalar(0.79788456F))});
  }
  draft.finish(node, "Mul", {x, by(plus_one(f), draft.scalar(0.5F))});
}

void write_silu(GraphNode node, OnnxDraft& draft) {
  draft.finish(node, "Mul", {node.inputs[0], draft.add(node, "Sigmoid", {node.inputs[0]})});
}

void write_mish(GraphNode node, OnnxDraft& draft) {
  const auto softplus = draft.add(node, "Softplus", {node.inputs[0]});
  draft.finish(node, "Mul", {node.inputs[0], draft.add(node, "Tanh", {softplus})});
}

torch::Tensor hard_sigmoid(const torch::Tensor& x, double alpha, double beta) {
  return at::clamp(x * alpha + beta, 0, 1);
}

using T = torch::Tensor;
using Axes = std::vector<int64_t>;

constexpr auto mean = [](const T& x, const Axes& axes, bool keep) { return x.mean(axes, keep); };
constexpr auto sum = [](const T& x, const Axes& axes, bool keep) { return x.sum(axes, keep); };
constexpr auto largest = [](const T& x, const Axes& axes, bool keep) { return x.amax(axes, keep); };
constexpr auto least = [](const T& x, const Axes& axes, bool keep) { return x.amin(axes, keep); };
constexpr auto length = [](const T& x, const Axes& axes, bool keep) { return x.square().sum(axes, keep).sqrt(); };
constexpr auto product = [](T x, Axes axes, bool keep) {
  std::sort(axes.rbegin(), axes.rend());
  for (const int64_t axis : axes) x = x.prod(axis, keep);
  return x;
};

/// Axes by attribute or second input; without any, all of them.
template <const auto& function>
Tensors reduced(const OperatorCall& c) {
  auto axes = c.integers(1, "axes", {});
  if (axes.empty() && c.integer("noop_with_empty_axes", 0) != 0) return {c[0]};
  if (axes.empty()) {
    for (int64_t d = 0; d < c[0].dim(); ++d) axes.push_back(d);
  }
  for (int64_t& axis : axes) axis = c.axis(axis, c[0].dim());
  const auto x = is_float(c[0]) ? at_least_float32(c[0]) : c[0];
  return {function(x, axes, c.integer("keepdims", 1) != 0)};
}

/// The axes are an input of all reductions since opset 18; of sums they were before.
void write_reduction(GraphNode node, OnnxDraft& draft) {
  constexpr int64_t kTakeAxes = 18;
  auto& attributes = node.attributes;
  if (draft.opset() >= kTakeAxes) {
    if (attributes.contains("axes")) node.inputs = {node.inputs[0], draft.whole(whole_attributes(node, "axes", {}))};
    attributes.erase("axes");
    return draft.keep(std::move(node));
  }
  if (node.inputs.size() > 1) {
    const auto axes = list_of(draft.constant_input(node, 1, "axes"));
    if (!axes.empty()) attributes["axes"] = axes;
    node.inputs.resize(1);
  }
  const bool keeps_all = whole_attribute(node, "noop_with_empty_axes", 0) != 0 && !attributes.contains("axes");
  attributes.erase("noop_with_empty_axes");
  keeps_all ? draft.finish(node, "Identity", node.inputs) : draft.keep(std::move(node));
}

GraphOperator reduction(const char* name, Tensors (*run)(const OperatorCall& call), BoundRule rule = BoundRule::None,
                        Terms terms = {}) {
  return {name, run, {"axes", "keepdims", "noop_with_empty_axes"}, 1, OnnxForm{write_reduction}, rule, terms};
}

/// A scale or zero point: one number, or one for each place along `axis` of x.
torch::Tensor along(const OperatorCall& c, size_t input, const torch::Tensor& x) {
  const auto values = c[input].to(torch::kFloat32).to(x.device());
  if (values.numel() == 1) return values.reshape({});
  const int64_t given = c.integer("axis", 1), axis = given < 0 ? given + x.dim() : given;
  if (values.dim() != 1 || axis < 0 || axis >= x.dim() || values.numel() != x.size(axis)) {
    c.fail(fmt::format("has {} scales along axis {} of a value of shape ({})", values.numel(), given,
                       fmt::join(x.sizes(), ",")));
  }
  std::vector<int64_t> shape(static_cast<size_t>(x.dim()), 1);
  shape[static_cast<size_t>(axis)] = -1;
  return values.reshape(shape);
}

/// Whole numbers of 8 bits, kept as float32: clamp(round(x / scale) + zero, lowest, highest), halves to the even
/// neighbour. The gradient passes the rounding as if it were not there (straight-through), but not the clamping.
Tensors quantize(const OperatorCall& c) {
  const auto x = c[0].to(torch::kFloat32);
  const bool is_signed = c.has(2) && c[2].scalar_type() == torch::kInt8;
  if (c.has(2) && !is_signed && c[2].scalar_type() != torch::kUInt8) c.fail("its zero point is no 8-bit number");
  const auto zero = c.has(2) ? along(c, 2, x) : torch::zeros({});
  const auto exact = x / along(c, 1, x);
  // The difference is 0, and carries the gradient.
  const auto whole = (at::round(exact) + zero).detach() + (exact - exact.detach());
  return {at::clamp(whole, is_signed ? -128 : 0, is_signed ? 127 : 255)};
}

/// (x - zero) * scale.
Tensors dequantize(const OperatorCall& c) {
  const auto x = c[0].to(torch::kFloat32);
  return {((c.has(2) ? x - along(c, 2, x) : x) * along(c, 1, x))};
}

/// Whether a value is one of 8-bit numbers: made by QuantizeLinear, and perhaps moved about since.
bool is_quantized(const OnnxDraft& draft, const std::string& value) {
  for (const auto& node : draft.nodes()) {
    if (std::find(node.outputs.begin(), node.outputs.end(), value) == node.outputs.end()) continue;
    const bool keeps =
        has_effect(node, Effect::Nothing) || has_effect(node, Effect::Moves) || has_effect(node, Effect::Chooses);
    return has_effect(node, Effect::Rounds) || (keeps && is_quantized(draft, node.inputs[0]));
  }
  return false;
}

/// What was made of a network with an image of 8-bit numbers has one of float32, on which the operator is arithmetic.
void write_dequantize(GraphNode node, OnnxDraft& draft) {
  if (draft.find_constant(node.inputs[0]) != nullptr || is_quantized(draft, node.inputs[0])) {
    return draft.keep(std::move(node));
  }
  const auto spread = [&](size_t input, const char* what) {
    auto values = draft.constant_input(node, input, what).to(torch::kFloat32);
    if (values.numel() > 1) {
      const auto rank = static_cast<int64_t>(draft.sides_of(node.inputs[0]).size());  // runs the network up to there
      std::vector<int64_t> shape(static_cast<size_t>(rank), 1);
      const int64_t axis = whole_attribute(node, "axis", 1);
      shape.at(static_cast<size_t>(axis < 0 ? axis + rank : axis)) = -1;
      values = values.reshape(shape);
    }
    return draft.constant(node.name + "." + what, values);
  };
  std::string x = node.inputs[0];
  if (node.inputs.size() > 2 && !node.inputs[2].empty()) x = draft.add(node, "Sub", {x, spread(2, "zero point")});
  draft.finish(node, "Mul", {x, spread(1, "scale")});
}

Tensors arg_max(const OperatorCall& c) {
  if (c.integer("select_last_index", 0) != 0) c.fail("select_last_index is not supported");
  return {c[0].argmax(c.axis(c.integer("axis", 0), c[0].dim()), c.integer("keepdims", 1) != 0)};
}

/// Before opset 13 it was over all axes from one on ("over_all_from"), since then over one axis.
template <class Function>
Tensors softmax(const OperatorCall& c, const Function& function) {
  const auto x = c[0].to(torch::kFloat32);
  if (!c.given("over_all_from")) return {function(x, c.axis(c.integer("axis", -1), x.dim()))};
  const int64_t first = c.axis(c.integer("over_all_from", 1), x.dim());
  if (first == x.dim() - 1) return {function(x, first)};
  return {function(x.flatten(first), first).reshape(x.sizes())};
}

bool free_softmax(GraphNode& node, Graph& /*graph*/, const FixedBatch& batch) {
  for (const char* axis : {"axis", "over_all_from"}) {
    if (batch.left_out && whole_attribute(node, axis, -1) == 0) node.attributes[axis] = 1;
  }
  return batch.left_out;
}

std::string logits_of_softmax(const GraphNode& node, const Graph& /*graph*/) {
  return node.inputs.at(0);
}

/// The exponential of a LogSoftmax is a softmax, of its own logarithm too.
std::string logits_of_exponential(const GraphNode& node, const Graph& graph) {
  const GraphNode* source = source_of(graph, node.inputs.at(0));
  return source != nullptr && source->op == "LogSoftmax" ? node.inputs[0] : "";
}

/// x of e^x / sum e^x, where the node divides: by Div, or by Mul with a Reciprocal.
std::string logits_of_quotient(const GraphNode& node, const Graph& graph) {
  for (const auto& input : node.inputs) {
    const GraphNode* source = source_of(graph, input);
    if (source != nullptr && source->op == "Exp") return source->inputs.at(0);
  }
  return "";
}

void add_magnitudes(GraphNode& node, Tensors& /*inputs*/) {
  node.op = "Add";
}

void keep_magnitudes(GraphNode& node, Tensors& /*inputs*/) {
  node.op = "Identity";
}

void read_softmax(GraphNode& node, Graph& /*graph*/, int64_t opset) {
  if (opset >= 13) return;
  node.attributes["over_all_from"] = whole_attribute(node, "axis", 1);
  node.attributes.erase("axis");
}

void write_softmax(GraphNode node, OnnxDraft& draft) {
  if (!node.attributes.contains("over_all_from")) return draft.keep(std::move(node));
  const auto& x = node.inputs[0];
  const auto flat = draft.add(node, "Flatten", {x}, {{"axis", node.attributes["over_all_from"]}});
  const auto share = draft.add(node, node.op, {flat}, {{"axis", 1}});
  draft.finish(node, "Reshape", {share, draft.add(node, "Shape", {x})});
}

/// Arithmetic of 8-bit numbers as what it stands for: numbers made of them, arithmetic, and 8-bit numbers again.
/// Inputs: a, its scale and zero point, b, its own, those of the result, and the bias of a convolution, whose scale
/// is the product of the first two.
template <bool convolution>
void read_quantized(GraphNode& node, Graph& graph, int64_t /*opset*/) {
  if (node.inputs.size() < 8) throw UserError(fmt::format("node '{}' ({}): lacks inputs", node.name, node.op));
  const auto add = [&](const char* part, std::vector<std::string> inputs, nlohmann::json attributes) {
    std::string output = node.outputs.at(0) + ":" + std::to_string(graph.nodes.size());
    graph.nodes.push_back({part, node.name, std::move(inputs), {output}, std::move(attributes)});
    return output;
  };
  const auto& in = node.inputs;
  std::vector<std::string> inputs{add("DequantizeLinear", {in[0], in[1], in[2]}, {{"axis", 1}}),
                                  add("DequantizeLinear", {in[3], in[4], in[5]}, {{"axis", convolution ? 0 : 1}})};
  if (in.size() > 8 && !in[8].empty()) {
    const auto scale = add("Mul", {in[1], in[4]}, nlohmann::json::object());
    inputs.push_back(add("DequantizeLinear", {in[8], scale}, {{"axis", 0}}));
  }
  const auto y = add(convolution ? "Conv" : "MatMul", inputs, node.attributes);
  node = {"QuantizeLinear", node.name, {y, in[6], in[7]}, node.outputs, {{"axis", 1}}};
}

const RegisterOperators registered{
    {"Add",
     [](const OperatorCall& c) { return pairwise(c, [](const T& a, const T& b) { return a + b; }); },
     {},
     2,
     BoundRule::Rising,
     Varying::Any},
    {"Sub",
     [](const OperatorCall& c) { return pairwise(c, [](const T& a, const T& b) { return a - b; }); },
     {},
     2,
     BoundRule::Weighted,
     Varying::Any,
     Magnitudes{add_magnitudes}},
    {"Mul",
     [](const OperatorCall& c) { return pairwise(c, [](const T& a, const T& b) { return a * b; }); },
     {},
     2,
     SoftmaxEnd{logits_of_quotient},
     BoundRule::Weighted,
     Varying::One},
    {"Div",
     [](const OperatorCall& c) { return pairwise(c, divide); },
     {},
     2,
     SoftmaxEnd{logits_of_quotient},
     BoundRule::Weighted},
    {"Pow",
     [](const OperatorCall& c) {
       return pairwise(c, [](const T& a, const T& b) { return at::pow(a, b.to(a.scalar_type())); });
     },
     {},
     2},
    {"Equal", [](const OperatorCall& c) { return pairwise(c, [](const T& a, const T& b) { return a == b; }); }, {}, 2},
    {"Greater", [](const OperatorCall& c) { return pairwise(c, [](const T& a, const T& b) { return a > b; }); }, {}, 2},
    {"Less", [](const OperatorCall& c) { return pairwise(c, [](const T& a, const T& b) { return a < b; }); }, {}, 2},
    {"Sum",
     [](const OperatorCall& c) { return fold(c, [](const T& a, const T& b) { return a + b; }); },
     {},
     1,
     BoundRule::Rising,
     Varying::Any},
    {"Mean",
     [](const OperatorCall& c) -> Tensors {
       return {fold(c, [](const T& a, const T& b) { return a + b; })[0] / static_cast<double>(c.size())};
     }},
    {"Max",
     [](const OperatorCall& c) { return fold(c, [](const T& a, const T& b) { return at::maximum(a, b); }); },
     {},
     1,
     BoundRule::Monotone,
     Varying::Any},
    {"Min",
     [](const OperatorCall& c) { return fold(c, [](const T& a, const T& b) { return at::minimum(a, b); }); },
     {},
     1,
     BoundRule::Monotone,
     Varying::Any},
    {"Relu", [](const OperatorCall& c) -> Tensors { return {at::relu(c[0])}; }, {}, 1, BoundRule::Relu},
    {"LeakyRelu",
     [](const OperatorCall& c) -> Tensors { return {at::leaky_relu(c[0], c.number("alpha", 0.01))}; },
     {{"alpha", kReal}},
     1,
     BoundRule::Monotone},
    {"PRelu", prelu, {}, 2},
    {"ThresholdedRelu",
     [](const OperatorCall& c) -> Tensors { return {at::threshold(c[0], c.number("alpha", 1), 0)}; },
     {{"alpha", kReal}}},
    {"Elu",
     [](const OperatorCall& c) -> Tensors { return {at::elu(c[0], c.number("alpha", 1))}; },
     {{"alpha", kReal}},
     1,
     BoundRule::Monotone},
    {"Selu", selu, {{"alpha", kReal}, {"gamma", kReal}}, 1, BoundRule::Monotone},
    {"Celu",
     [](const OperatorCall& c) -> Tensors { return {at::celu(c[0], c.number("alpha", 1))}; },
     {{"alpha", kReal}},
     1,
     BoundRule::Monotone},
    {"Gelu", gelu, {"approximate"}, 1, OnnxForm{write_gelu}},
    {"Silu", [](const OperatorCall& c) -> Tensors { return {at::silu(c[0])}; }, {}, 1, OnnxForm{write_silu}},
    {"Mish",
     [](const OperatorCall& c) -> Tensors { return {c[0] * at::tanh(at::softplus(c[0]))}; },
     {},
     1,
     OnnxForm{write_mish}},
    {"HardSigmoid",
     [](const OperatorCall& c) -> Tensors {
       return {hard_sigmoid(c[0], c.number("alpha", 0.2), c.number("beta", 0.5))};
     },
     {{"alpha", kReal}, {"beta", kReal}},
     1,
     BoundRule::Monotone},
    {"HardSwish",
     [](const OperatorCall& c) -> Tensors { return {c[0] * hard_sigmoid(c[0], 1.0 / 6, 0.5)}; },
     {},
     1,
     OnnxForm{nullptr, nullptr, since<14>}},
    {"Sigmoid", [](const OperatorCall& c) -> Tensors { return {at::sigmoid(c[0])}; }, {}, 1, BoundRule::Monotone},
    {"Tanh", [](const OperatorCall& c) -> Tensors { return {at::tanh(c[0])}; }, {}, 1, BoundRule::Monotone},
    {"Softplus", [](const OperatorCall& c) -> Tensors { return {at::softplus(c[0])}; }, {}, 1, BoundRule::Monotone},
    {"Softsign", [](const OperatorCall& c) -> Tensors { return {c[0] / (1 + c[0].abs())}; }},
    {"Softmax",
     [](const OperatorCall& c) { return softmax(c, [](const T& x, int64_t axis) { return at::softmax(x, axis); }); },
     {"axis", "over_all_from"},
     1,
     OnnxForm{write_softmax, read_softmax},
     BatchForm{free_softmax},
     SoftmaxEnd{logits_of_softmax}},
    {"LogSoftmax",
     [](const OperatorCall& c) {
       return softmax(c, [](const T& x, int64_t axis) { return at::log_softmax(x, axis); });
     },
     {"axis", "over_all_from"},
     1,
     OnnxForm{write_softmax, read_softmax},
     BatchForm{free_softmax}},
    {"Clip", clip, {{"min", kInput}, {"max", kInput}}, 1, BoundRule::Monotone},
    {"Exp", [](const OperatorCall& c) -> Tensors { return {at::exp(c[0])}; }, {}, 1, SoftmaxEnd{logits_of_exponential}},
    {"Log", [](const OperatorCall& c) -> Tensors { return {at::log(c[0])}; }},
    {"Erf", [](const OperatorCall& c) -> Tensors { return {at::erf(c[0])}; }},
    {"Sqrt", [](const OperatorCall& c) -> Tensors { return {at::sqrt(c[0])}; }},
    {"Reciprocal", [](const OperatorCall& c) -> Tensors { return {at::reciprocal(c[0])}; }},
    {"Neg",
     [](const OperatorCall& c) -> Tensors { return {at::neg(c[0])}; },
     {},
     1,
     BoundRule::Weighted,
     Magnitudes{keep_magnitudes}},
    {"Abs", [](const OperatorCall& c) -> Tensors { return {at::abs(c[0])}; }},
    {"Floor", [](const OperatorCall& c) -> Tensors { return {at::floor(c[0])}; }},
    {"Ceil", [](const OperatorCall& c) -> Tensors { return {at::ceil(c[0])}; }},
    reduction("ReduceMean", reduced<mean>, BoundRule::Rising, {reduced_numbers}),
    {"ReduceSum",
     reduced<sum>,
     {{"axes", kInput}, "keepdims", "noop_with_empty_axes"},
     1,
     BoundRule::Rising,
     Terms{reduced_numbers}},
    reduction("ReduceMax", reduced<largest>),
    reduction("ReduceMin", reduced<least>),
    reduction("ReduceL2", reduced<length>),
    reduction("ReduceProd", reduced<product>),
    {"QuantizeLinear", quantize, {"axis", {"saturate", kLeftOut}}, 2, Effect::Rounds},
    {"DequantizeLinear", dequantize, {"axis"}, 2, OnnxForm{write_dequantize}},
    {"QLinearConv", nullptr, {}, 8, OnnxForm{nullptr, read_quantized<true>}},
    {"QLinearMatMul", nullptr, {}, 8, OnnxForm{nullptr, read_quantized<false>}},
    {"ArgMax", arg_max, {"axis", "keepdims", "select_last_index"}},
};

}  // namespace

}  // namespace fercli::graph_operators_values
