// Operators that move values about: shapes, cutting and joining, padding, resizing. Shapes that a file computes are
// int64 tensors on the CPU, like any other value.
#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "core/tensor_list.hpp"
#include "models/graph/attributes.hpp"
#include "models/graph/onnx_draft.hpp"

namespace fercli::graph_operators_shape {

namespace {

torch::Tensor to_tensor(const std::vector<int64_t>& values) {
  return torch::tensor(values, torch::kInt64);
}

constexpr int64_t kFloat = 1;

/// Whether ONNX's element type is float32, float16, float64 or bfloat16.
bool is_real_type(int64_t code) {
  return code == kFloat || code == 10 || code == 11 || code == 16;
}

/// ONNX's element types that can be cast to.
torch::ScalarType element_type(const OperatorCall& c, int64_t code) {
  if (is_real_type(code)) return torch::kFloat32;
  switch (code) {
    case 2:
      return torch::kUInt8;
    case 3:
      return torch::kInt8;
    case 6:
      return torch::kInt32;
    case 7:
      return torch::kInt64;
    case 9:
      return torch::kBool;
    default:
      c.fail(fmt::format("element type {} is not supported", code));
  }
}

/// Between floating types nothing changes: the arithmetic is chosen by the user.
Tensors cast(const OperatorCall& c) {
  const auto type = element_type(c, c.integer("to", 1));
  if (at::isFloatingType(type) && at::isFloatingType(c[0].scalar_type())) return {c[0]};
  return {c[0].to(type)};
}

Tensors shape_of(const OperatorCall& c) {
  const auto sizes = c[0].sizes().vec();
  const auto count = static_cast<int64_t>(sizes.size());
  const auto bound = [&](int64_t place) { return std::clamp<int64_t>(place < 0 ? place + count : place, 0, count); };
  const int64_t begin = bound(c.integer("start", 0)), end = std::max(begin, bound(c.integer("end", count)));
  return {to_tensor({sizes.begin() + begin, sizes.begin() + end})};
}

/// 0 copies the input's side, -1 is computed. A copied batch is what LibTorch computes, so that traces hold for any.
constexpr int64_t kMostKnown = int64_t{1} << 40;

Tensors reshape(const OperatorCall& c) {
  auto shape = c.integers(1, "shape", {});
  const bool copies_batch = !shape.empty() && shape[0] == 0 && c.integer("allowzero", 0) == 0;
  int64_t known = 1;
  for (size_t d = 0; d < shape.size(); ++d) {
    if (shape[d] == 0 && c.integer("allowzero", 0) == 0 && static_cast<int64_t>(d) < c[0].dim()) {
      shape[d] = c[0].size(static_cast<int64_t>(d));
    }
    if (shape[d] > 0) known = known > kMostKnown / shape[d] ? 0 : known * shape[d];
  }
  if (copies_batch && known > 0 && c[0].numel() > 0) {
    for (int64_t& side : shape) {
      if (side == -1) side = c[0].numel() / known;
    }
    shape[0] = -1;
  }
  int64_t open = 0, product = 1;
  for (const int64_t side : shape) {
    if (side < -1 || (side > 0 && product > kMostKnown / side)) product = -1;
    if (product < 0) break;
    side == -1 ? ++open : product *= side;
  }
  const int64_t elements = c[0].numel();
  if (product < 0 || open > 1 || (open == 1 ? product == 0 || elements % product != 0 : product != elements)) {
    c.fail(fmt::format("cannot give a value of the shape ({}) the shape ({})", fmt::join(c[0].sizes(), ","),
                       fmt::join(c.integers(1, "shape", {}), ",")));
  }
  return {c[0].reshape(shape)};
}

Tensors flatten(const OperatorCall& c) {
  int64_t axis = c.integer("axis", 1), rows = 1;
  if (axis < 0) axis += c[0].dim();
  if (axis == 1 && c[0].dim() > 1) return {at::flatten(c[0], 1)};
  for (int64_t d = 0; d < std::min(axis, c[0].dim()); ++d) rows *= c[0].size(d);
  return {c[0].reshape({rows, rows == 0 ? 0 : c[0].numel() / rows})};
}

Tensors transpose(const OperatorCall& c) {
  std::vector<int64_t> order;
  for (int64_t d = c[0].dim() - 1; d >= 0; --d) order.push_back(d);
  const auto perm = c.integers("perm", order);
  std::sort(order.begin(), order.end());
  if (!std::is_permutation(perm.begin(), perm.end(), order.begin(), order.end())) {
    c.fail(fmt::format("cannot turn a value of the shape ({}) by ({})", fmt::join(c[0].sizes(), ","),
                       fmt::join(perm, ",")));
  }
  return {c[0].permute(perm)};
}

Tensors squeeze(const OperatorCall& c) {
  auto axes = c.integers(1, "axes", {});
  auto shape = c[0].sizes().vec();
  if (axes.empty() && shape.size() < 2) return {c[0].squeeze()};
  if (axes.empty()) {  // all sides of one but the batch, which one image has too
    for (size_t d = 1; d < shape.size(); ++d) {
      if (shape[d] == 1) axes.push_back(static_cast<int64_t>(d));
    }
    if (axes.empty()) return {c[0]};
  }
  std::vector<int64_t> kept;
  std::vector<bool> gone(shape.size(), false);
  for (const int64_t axis : axes) {
    const auto d = static_cast<size_t>(c.axis(axis, c[0].dim()));
    if (shape[d] != 1) c.fail(fmt::format("axis {} has {} entries and cannot be squeezed", axis, shape[d]));
    gone[d] = true;
  }
  for (size_t d = 0; d < shape.size(); ++d) {
    if (!gone[d]) kept.push_back(shape[d]);
  }
  return {c[0].reshape(kept)};
}

Tensors unsqueeze(const OperatorCall& c) {
  auto axes = c.integers(1, "axes", {});
  const auto dim = c[0].dim() + static_cast<int64_t>(axes.size());
  for (int64_t& axis : axes) axis = c.axis(axis, dim);
  std::sort(axes.begin(), axes.end());
  auto y = c[0];
  for (const int64_t axis : axes) y = y.unsqueeze(axis);
  return {y};
}

Tensors concat(const OperatorCall& c) {
  Tensors parts = c.inputs();
  const int64_t axis = c.axis(c.integer("axis", 0), c[0].dim());
  auto type = c[0].scalar_type();
  int64_t elements = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    elements += c[i].numel();
    c.allow({elements});
    if (parts[i].scalar_type() == torch::kFloat32) type = torch::kFloat32;
  }
  for (auto& part : parts) {
    auto others = part.sizes().vec(), first = c[0].sizes().vec();
    if (others.size() == first.size()) others[static_cast<size_t>(axis)] = first[static_cast<size_t>(axis)];
    if (others != first) {
      c.fail(fmt::format("joins values of the shapes ({}) and ({}) along axis {}, which differ in another",
                         fmt::join(c[0].sizes(), ","), fmt::join(part.sizes(), ","), axis));
    }
    part = part.to(type);
  }
  return {at::cat(parts, axis)};
}

Tensors split(const OperatorCall& c) {
  const int64_t axis = c.axis(c.integer("axis", 0), c[0].dim());
  auto sizes = c.integers(1, "split", {});
  if (sizes.empty()) {
    const int64_t parts = c.integer("num_outputs", c.outputs());
    if (parts < 1 || parts > c[0].size(axis))
      c.fail(fmt::format("cannot cut {} entries into {} parts", c[0].size(axis), parts));
    const int64_t part = (c[0].size(axis) + parts - 1) / parts;
    for (int64_t left = c[0].size(axis); left > 0; left -= part) sizes.push_back(std::min(left, part));
  }
  int64_t sum = 0;
  for (const int64_t size : sizes) {
    if (size < 0 || size > c[0].size(axis) - sum) sum = c[0].size(axis) + 1;
    if (sum <= c[0].size(axis)) sum += size;
  }
  if (sum != c[0].size(axis)) {
    c.fail(fmt::format("cannot cut {} entries into parts of {}", c[0].size(axis), fmt::join(sizes, ", ")));
  }
  return c[0].split_with_sizes(sizes, axis);
}

/// Steps backwards are turned round first.
Tensors slice(const OperatorCall& c) {
  const auto starts = c.integers(1, "starts", {}), ends = c.integers(2, "ends", {});
  std::vector<int64_t> all;
  for (size_t i = 0; i < starts.size(); ++i) all.push_back(static_cast<int64_t>(i));
  const auto axes = c.integers(3, "axes", all), steps = c.integers(4, "steps", std::vector<int64_t>(starts.size(), 1));
  if (ends.size() != starts.size() || axes.size() != starts.size() || steps.size() != starts.size()) {
    c.fail("starts, ends, axes and steps have different lengths");
  }
  auto y = c[0];
  for (size_t i = 0; i < starts.size(); ++i) {
    const int64_t axis = c.axis(axes[i], y.dim()), side = y.size(axis);
    const auto from_end = [&](int64_t place) { return place < 0 ? place + side : place; };
    if (steps[i] == 0) c.fail("a step of 0");
    if (steps[i] > 0) {
      const int64_t begin = std::clamp<int64_t>(from_end(starts[i]), 0, side);
      y = y.slice(axis, begin, std::max(begin, std::clamp<int64_t>(from_end(ends[i]), 0, side)), steps[i]);
    } else {
      const int64_t begin = std::clamp<int64_t>(from_end(starts[i]), -1, side - 1);
      const int64_t end = std::min(begin, std::clamp<int64_t>(from_end(ends[i]), -1, side - 1));
      y = y.flip({axis}).slice(axis, side - 1 - begin, side - 1 - end,
                               -std::max(steps[i], -std::numeric_limits<int64_t>::max()));
    }
  }
  return {y};
}

Tensors gather(const OperatorCall& c) {
  const int64_t axis = c.axis(c.integer("axis", 0), c[0].dim()), side = c[0].size(axis);
  auto index = c[1].to(torch::kInt64);
  auto shape = c[0].sizes().vec();
  shape.erase(shape.begin() + axis);
  shape.insert(shape.begin() + axis, index.sizes().begin(), index.sizes().end());
  c.allow(shape);
  index = at::where(index < 0, index + side, index).flatten();
  if (index.numel() > 0 && (index.min().item<int64_t>() < 0 || index.max().item<int64_t>() >= side)) {
    c.fail(fmt::format("an index lies outside of 0 to {}", side - 1));
  }
  return {c[0].index_select(axis, index.to(c[0].device())).reshape(shape)};
}

Tensors expand(const OperatorCall& c) {
  const auto wanted = c.integers(1, "shape", {});
  c.allow(wanted);
  return {c[0].expand(c.broadcast(c[0].sizes(), wanted))};
}

Tensors tile(const OperatorCall& c) {
  const auto repeats = c.integers(1, "repeats", {});
  auto shape = c[0].sizes().vec();
  if (repeats.size() != shape.size()) c.fail("needs one repeat for each axis");
  for (size_t d = 0; d < shape.size(); ++d) {
    if (repeats[d] < 0 || repeats[d] > (1 << 20)) c.fail(fmt::format("{} repeats", repeats[d]));
    shape[d] *= repeats[d];
  }
  c.allow(shape);
  return {c[0].repeat(repeats)};
}

Tensors constant_of_shape(const OperatorCall& c) {
  const auto shape = c.integers(0, "shape", {});
  c.allow(shape);
  return {c.has(1) ? c[1].reshape({}).expand(shape) : torch::zeros(shape)};
}

Tensors where(const OperatorCall& c) {
  c.broadcast(c.broadcast(c[0].sizes(), c[1].sizes()), c[2].sizes());
  return {at::where(c[0].to(torch::kBool), c[1], c[2].to(c[1].scalar_type()))};
}

/// Begins of all axes, or of those that a fourth input lists (opset 18), then their ends.
std::vector<int64_t> pads_of(const OperatorCall& c) {
  auto given = c.integers(1, "pads", {});
  const int64_t dim = c[0].dim();
  if (!c.has(3)) return given;
  const auto axes = c.integers(3, "axes", {});
  if (given.size() != 2 * axes.size()) c.fail(fmt::format("has {} pads for {} axes", given.size(), axes.size()));
  std::vector<int64_t> pads(static_cast<size_t>(2 * dim), 0);
  for (size_t i = 0; i < axes.size(); ++i) {
    const auto axis = static_cast<size_t>(c.axis(axes[i], dim));
    pads[axis] = given[i];
    pads[axis + static_cast<size_t>(dim)] = given[i + axes.size()];
  }
  return pads;
}

/// LibTorch wants pairs from the last axis on.
Tensors pad(const OperatorCall& c) {
  const auto pads = pads_of(c);
  const auto dim = static_cast<size_t>(c[0].dim());
  if (pads.size() != 2 * dim) c.fail(fmt::format("has {} pads for {} axes", pads.size(), dim));
  std::vector<int64_t> pairs, shape = c[0].sizes().vec();
  for (size_t d = dim; d-- > 0;) {
    pairs.insert(pairs.end(), {pads[d], pads[d + dim]});
    c.allow_pads({pads[d], pads[d + dim]});
    shape[d] += pads[d] + pads[d + dim];
  }
  c.allow(shape);
  const std::string mode = c.word("mode", "constant");
  if (mode == "constant") return {at::constant_pad_nd(c[0], pairs, c.has(2) ? c[2].item() : c.number("value", 0))};
  if (dim != 4 || pads[0] != 0 || pads[1] != 0 || pads[4] != 0 || pads[5] != 0)
    c.fail("only images are padded by their own pixels");
  pairs.resize(4);
  for (size_t d = 2; mode == "reflect" && d < dim; ++d) {
    const int64_t side = c[0].size(static_cast<int64_t>(d)), most = std::max(pads[d], pads[d + dim]);
    if (most >= side) c.fail(fmt::format("mirrors {} pixels of an image of {}", most, side));
  }
  if (mode == "reflect") return {at::reflection_pad2d(c[0], pairs)};
  if (mode == "edge") return {at::replication_pad2d(c[0], pairs)};
  c.fail(fmt::format("mode '{}' is unknown", mode));
}

/// (N, C*b*b, H, W) -> (N, C, H*b, W*b).
Tensors depth_to_space(const OperatorCall& c) {
  const int64_t b = c.integer("blocksize", 1);
  if (c[0].dim() != 4 || b < 1 || b > 1024 || c[0].size(1) % (b * b) != 0)
    c.fail("its channels do not fit the block size");
  if (c.word("mode", "DCR") == "CRD") return {at::pixel_shuffle(c[0], b)};
  const int64_t n = c[0].size(0), channels = c[0].size(1) / (b * b), h = c[0].size(2), w = c[0].size(3);
  return {c[0].reshape({n, b, b, channels, h, w}).permute({0, 3, 4, 1, 5, 2}).reshape({n, channels, h * b, w * b})};
}

Tensors pass(const OperatorCall& c) {
  return {c[0]};
}

void read_dropout(GraphNode& node, Graph& graph, int64_t /*opset*/) {
  const auto flag = node.inputs.size() < 3 ? graph.constants.end() : graph.constants.find(node.inputs[2]);
  if (flag != graph.constants.end() && flag->second.any().item<bool>()) refuse_training(node);
}

/// Constants are float32 here, whatever they were in the file, and so is the arithmetic between them.
void write_cast(GraphNode node, OnnxDraft& draft) {
  if (is_real_type(whole_attribute(node, "to", kFloat))) node.attributes["to"] = kFloat;
  draft.keep(std::move(node));
}

void write_reshape(GraphNode node, OnnxDraft& draft) {
  if (whole_attribute(node, "allowzero", 0) == 0) node.attributes.erase("allowzero");
  draft.keep(std::move(node));
}

void write_split(GraphNode node, OnnxDraft& draft) {
  node.attributes.erase("num_outputs");
  if (node.inputs.size() < 2 && draft.opset() >= 18) node.attributes["num_outputs"] = node.outputs.size();
  draft.keep(std::move(node));
}

/// The value is an attribute in ONNX, and an input here.
void write_constant_of_shape(GraphNode node, OnnxDraft& draft) {
  const auto value = node.inputs.size() > 1 ? node.inputs[1] : draft.constant("zero", torch::zeros({1}));
  draft.finish(node, "Expand", {value, node.inputs[0]});
}

/// An attribute, an input since opset 13. None when they are computed.
std::vector<int64_t> axes_of(const GraphNode& node, const Graph& graph) {
  if (node.attributes.contains("axes")) return whole_attributes(node, "axes", {});
  const auto given = node.inputs.size() > 1 ? graph.constants.find(node.inputs[1]) : graph.constants.end();
  if (given == graph.constants.end()) return {};
  return list_of(given->second);
}

/// Without any, the node does nothing.
void set_axes(GraphNode& node, Graph& graph, const std::vector<int64_t>& axes) {
  node.inputs.resize(1);
  node.attributes = nlohmann::json::object();
  if (axes.empty()) {
    node.op = "Identity";
  } else {
    node.inputs.push_back(graph.constant(node.name + ".axes", to_tensor(axes)));
  }
}

bool free_squeezed(GraphNode& node, Graph& graph, const FixedBatch& batch) {
  auto axes = batch.of_image ? axes_of(node, graph) : std::vector<int64_t>();
  const auto first = std::find(axes.begin(), axes.end(), 0);
  if (first == axes.end()) return batch.left_out;
  axes.erase(first);
  set_axes(node, graph, axes);
  return true;
}

bool free_unsqueezed(GraphNode& node, Graph& graph, const FixedBatch& batch) {
  if (batch.left_out && axes_of(node, graph) == std::vector<int64_t>{0}) set_axes(node, graph, {});
  return false;
}

/// A batch size that the file writes into the shape becomes "as the input". A value of (K) becomes (N,K).
bool free_reshaped(GraphNode& node, Graph& graph, const FixedBatch& batch) {
  const auto given = node.inputs.size() < 2 ? graph.constants.end() : graph.constants.find(node.inputs[1]);
  if (given == graph.constants.end() || given->second.scalar_type() != torch::kInt64) return false;
  auto shape = list_of(given->second);
  const bool leaves_out = shape.size() == 1 && batch.of_image;
  if (leaves_out) {
    shape = {0, -1};
  } else if (shape.size() > 1 && shape[0] == batch.size) {
    shape[0] = 0;
  } else {
    return false;
  }
  node.inputs[1] = graph.constant(node.inputs[1], to_tensor(shape));
  return leaves_out;
}

const RegisterOperators registered{
    {"Identity", pass, {}, 1, Effect::Nothing},
    {"Dropout", pass, {{"ratio", kReal}, "seed"}, 1, OnnxForm{nullptr, read_dropout}, Effect::Nothing},
    {"Cast", cast, {"to", {"saturate", kLeftOut}}, 1, OnnxForm{write_cast}, Effect::Converts},
    {"Shape",
     shape_of,
     {"start", "end"},
     1,
     OnnxForm{nullptr, nullptr,
              [](const GraphNode& node) -> int64_t {
                return node.attributes.contains("start") || node.attributes.contains("end") ? 15 : 1;
              }},
     Effect::Measures},
    {"Reshape",
     reshape,
     {"allowzero"},
     1,
     OnnxForm{write_reshape, nullptr,
              [](const GraphNode& node) -> int64_t { return whole_attribute(node, "allowzero", 0) != 0 ? 14 : 1; }},
     BatchForm{free_reshaped},
     Effect::Moves},
    {"Flatten", flatten, {"axis"}, 1, Effect::Moves},
    {"Transpose", transpose, {"perm"}, 1, Effect::Moves},
    {"Squeeze", squeeze, {{"axes", kInput}}, 1, BatchForm{free_squeezed}, Effect::Moves},
    {"Unsqueeze", unsqueeze, {{"axes", kInput}}, 1, BatchForm{free_unsqueezed}, Effect::Moves},
    {"Concat", concat, {"axis"}, 1, Effect::Chooses, BoundRule::Moving, Varying::Any},
    {"Split",
     split,
     {"axis", {"split", kInput}, "num_outputs"},
     1,
     OnnxForm{write_split, nullptr,
              [](const GraphNode& node) -> int64_t {
                const bool given = node.inputs.size() > 1 || node.attributes.contains("split");
                return node.attributes.contains("num_outputs") && !given ? 18 : 1;
              }},
     Effect::Chooses,
     BoundRule::Moving},
    {"Slice", slice, {{"starts", kInput}, {"ends", kInput}, {"axes", kInput}}, 1, Effect::Chooses, BoundRule::Moving},
    {"Gather", gather, {"axis"}, 2, Effect::Chooses},
    {"Expand", expand, {}, 1, Effect::Chooses, BoundRule::Moving},
    {"Tile", tile, {}, 1, Effect::Chooses},
    {"ConstantOfShape", constant_of_shape, {}, 1, OnnxForm{write_constant_of_shape}},
    {"Where", where, {}, 3},
    {"Pad",
     pad,
     {"mode", {"pads", kInput}, {"value", kInput}},
     1,
     OnnxForm{nullptr, nullptr, [](const GraphNode& node) -> int64_t { return node.inputs.size() > 3 ? 18 : 1; }},
     Effect::Chooses,
     BoundRule::Moving},
    {"DepthToSpace", depth_to_space, {"blocksize", "mode"}, 1, Effect::Chooses},
};

}  // namespace

}  // namespace fercli::graph_operators_shape
