// Resize and Upsample, whose many ways of choosing pixels changed with the opsets.
#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>

#include "core/tensor_list.hpp"
#include "models/graph/attributes.hpp"
#include "models/graph/onnx_draft.hpp"

namespace fercli::graph_operators_resize {

namespace {

/// Where along one axis each result comes from: position = i * in / length in the way `mode` says. Divided last, since
/// the nearest pixel of a whole position hangs on its last bit; but where a scale makes no whole number of pixels, by
/// the scale in float32, as ONNX Runtime and PyTorch do: 8 / 1.6F is 5 then.
torch::Tensor source_positions(const OperatorCall& c, int64_t in, int64_t out, double length, const std::string& mode) {
  const bool whole = length == static_cast<double>(out);
  const auto i = at::arange(out, whole ? torch::kFloat64 : torch::kFloat32);
  const auto scaled = [&](const torch::Tensor& place) {
    return whole ? place * in / length : place / torch::full({}, length / static_cast<double>(in), torch::kFloat32);
  };
  if (mode == "asymmetric") return scaled(i);
  if (mode == "align_corners") return out > 1 ? i * (in - 1) / static_cast<double>(out - 1) : i * 0;
  if (mode == "pytorch_half_pixel" && out == 1) return i * 0;
  if (mode == "half_pixel" || mode == "pytorch_half_pixel") return scaled(i + 0.5) - 0.5;
  c.fail(fmt::format("coordinate_transformation_mode '{}' is not supported", mode));
}

torch::Tensor nearest(const OperatorCall& c, const torch::Tensor& position, const std::string& rule) {
  if (rule == "floor") return at::floor(position);
  if (rule == "ceil") return at::ceil(position);
  if (rule == "round_prefer_ceil") return at::floor(position + 0.5);
  if (rule == "round_prefer_floor") return at::ceil(position - 0.5);
  c.fail(fmt::format("nearest_mode '{}' is not supported", rule));
}

torch::Tensor resize_axis(const OperatorCall& c, const torch::Tensor& x, int64_t axis, int64_t out, double length) {
  const int64_t in = x.size(axis);
  const auto position = source_positions(c, in, out, length, c.word("coordinate_transformation_mode", "half_pixel"));
  const auto pick = [&](const torch::Tensor& place) {
    return x.index_select(axis, at::clamp(place, 0, in - 1).to(torch::kInt64).to(x.device()));
  };
  const std::string mode = c.word("mode", "nearest");
  if (mode == "nearest") return pick(nearest(c, position, c.word("nearest_mode", "round_prefer_floor")));
  if (mode != "linear") c.fail(fmt::format("mode '{}' is not supported", mode));
  const auto low = at::floor(position);
  std::vector<int64_t> shape(static_cast<size_t>(x.dim()), 1);
  shape[static_cast<size_t>(axis)] = out;
  const auto share = (position - low).view(shape).to(x.scalar_type()).to(x.device());
  return pick(low) * (1 - share) + pick(low + 1) * share;
}

/// Since opset 18 sizes or scales may be those of some axes only.
void spread_over_axes(const OperatorCall& c, std::vector<int64_t>& sizes, std::vector<double>& scales) {
  const auto axes = c.integers("axes", {});
  const auto given_sizes = std::exchange(sizes, {});
  const auto given_scales = std::exchange(scales, {});
  if (given_sizes.size() != axes.size() && given_scales.size() != axes.size()) c.fail("its axes do not fit");
  if (given_scales.empty()) {
    sizes = c[0].sizes().vec();
  } else {
    scales.assign(4, 1.0);
  }
  for (size_t i = 0; i < axes.size(); ++i) {
    const auto axis = static_cast<size_t>(c.axis(axes[i], 4));
    if (given_scales.empty()) {
      sizes[axis] = given_sizes[i];
    } else {
      scales[axis] = given_scales[i];
    }
  }
}

/// Inputs X, roi, scales, sizes; opset 10 and Upsample have X, scales; opset 9 and before an attribute.
Tensors resize(const OperatorCall& c) {
  const auto& x = c[0];
  if (x.dim() != 4) c.fail("only images (N,C,H,W) are resized");
  std::vector<int64_t> sizes;
  std::vector<double> scales;
  const size_t place = c.size() == 2 ? 1 : 2;
  if (c.has(3) && c[3].numel() > 0) {
    sizes = c.integers(3, "sizes", {});
  } else if (c.has(place)) {
    scales = list_of<double>(c[place]);
  }
  if (c.given("axes")) spread_over_axes(c, sizes, scales);
  if (sizes.size() != 4 && scales.size() != 4) c.fail("needs four scales or four sizes");
  if (c.word("keep_aspect_ratio_policy", "stretch") != "stretch" || c.integer("antialias", 0) != 0) {
    c.fail("keeping the aspect ratio and antialiasing are not supported");
  }
  auto shape = x.sizes().vec();
  for (size_t d = 0; d < 4; ++d) {
    if (!scales.empty() && !(scales[d] > 0 && scales[d] <= 64)) c.fail(fmt::format("a scale of {}", scales[d]));
    // In float32, as ONNX's shape inference has it: 5 pixels times 1.8F are 9.
    const int64_t side =
        scales.empty() ? sizes[d] : static_cast<int64_t>(static_cast<float>(shape[d]) * static_cast<float>(scales[d]));
    if (d < 2 && side != shape[d] && !(d == 0 && !sizes.empty())) c.fail("only height and width can be resized");
    if (d >= 2) shape[d] = side;
  }
  c.allow(shape);
  auto y = x;
  for (const int64_t d : {2, 3}) {
    const auto length = scales.empty() ? static_cast<double>(shape[static_cast<size_t>(d)])
                                       : static_cast<double>(x.size(d)) * scales[static_cast<size_t>(d)];
    if (shape[static_cast<size_t>(d)] < 1) c.fail("would leave no pixel");
    const bool same = shape[static_cast<size_t>(d)] == x.size(d) && length == static_cast<double>(x.size(d));
    if (!same) y = resize_axis(c, y, d, shape[static_cast<size_t>(d)], length);
  }
  return {y};
}

void read_resize(GraphNode& node, Graph& graph, int64_t opset) {
  if (node.op == "Resize" && opset >= 11) return;
  auto& attributes = node.attributes;
  attributes["coordinate_transformation_mode"] = "asymmetric";
  attributes["nearest_mode"] = "floor";
  if (attributes.value("mode", "nearest") == "bilinear") attributes["mode"] = "linear";
  if (attributes.contains("scales")) {
    const auto scales = attributes["scales"].get<std::vector<float>>();
    node.inputs.push_back(graph.constant(node.name + ".scales", torch::tensor(scales)));
    attributes.erase("scales");
  }
}

/// The numbers of input `place`, which are those of some axes of an image, at their axes; `otherwise` at the others.
template <class Number>
std::vector<Number> over_four_axes(const GraphNode& node, const OnnxDraft& draft, size_t place, Number otherwise) {
  const auto given = draft.constant_input(node, place, "sizes or scales").to(c10::CppTypeToScalarType<Number>::value);
  const auto axes = whole_attributes(node, "axes", {0, 1, 2, 3});
  std::vector<Number> all(4, otherwise);
  for (size_t i = 0; i < axes.size(); ++i) {
    all.at(static_cast<size_t>(axes[i] < 0 ? axes[i] + 4 : axes[i])) =
        given[static_cast<int64_t>(i)].template item<Number>();
  }
  return all;
}

bool is_whole(int64_t side, float scale) {
  const double length = static_cast<double>(side) * scale;
  return length == std::floor(length);
}

/// (side, its result): what the node does to one axis of this side.
torch::Tensor scaling(GraphNode node, int64_t side, float scale) {
  node.attributes.erase("axes");
  Graph alone{{node}, {{node.inputs[2], torch::tensor({1.0F, 1.0F, 1.0F, scale})}}, node.inputs[0], node.outputs[0]};
  const auto ones = torch::eye(side).view({1, 1, side, side});
  return GraphModel(std::move(alone)).executor()->logits(ones).view({side, -1});
}

/// As two products with matrices.
void write_products(const GraphNode& node, OnnxDraft& draft, const std::vector<int64_t>& sides,
                    const std::vector<float>& scales) {
  const nlohmann::json turned = {{"perm", {0, 1, 3, 2}}};
  const auto product = [&](const std::string& x, size_t d) {
    return draft.add(node, "MatMul", {x, draft.constant("scaling", scaling(node, sides[d], scales[d]))});
  };
  const auto wide = draft.add(node, "Transpose", {product(node.inputs[0], 3)}, turned);
  draft.finish(node, "Transpose", {product(wide, 2)}, turned);
}

/// The sizes of the result; the batch is the image's, whatever the given ones say.
std::string written_sizes(const GraphNode& node, OnnxDraft& draft) {
  const auto sides = over_four_axes<int64_t>(node, draft, 3, 0);
  const auto shape = draft.add(node, "Shape", {node.inputs[0]});
  const auto side = [&](int64_t from, int64_t to) {
    return draft.add(node, "Slice", {shape, draft.whole({from}), draft.whole({to})});
  };
  std::vector<std::string> parts{side(0, 2)};
  for (const int64_t d : {2, 3}) {
    const int64_t wanted = sides[static_cast<size_t>(d)];
    parts.push_back(wanted > 0 ? draft.whole({wanted}) : side(d, d + 1));
  }
  return draft.add(node, "Concat", parts, {{"axis", 0}});
}

/// Where a scale makes no whole number of pixels, ONNX Runtime rounds otherwise than ONNX's own reference, and copies
/// an image whose size the scale leaves as it is: such a scaling is written as products.
void write_resize(GraphNode node, OnnxDraft& draft) {
  node.op = "Resize";
  auto& inputs = node.inputs;
  if (inputs.size() == 2) inputs.insert(inputs.begin() + 1, "");
  for (size_t i = 1; i < inputs.size(); ++i) {
    const auto* value = draft.find_constant(inputs[i]);
    // The first belongs to another way of resizing, which is not read.
    if (i == 1 || (value != nullptr && value->numel() == 0)) inputs[i].clear();
  }
  while (inputs.back().empty()) inputs.pop_back();
  const bool has_axes = node.attributes.contains("axes");
  if (inputs.size() == 3 && draft.find_constant(inputs[2]) != nullptr) {
    const auto sides = draft.sides_of(inputs[0]);
    const auto scales = over_four_axes<float>(node, draft, 2, 1);
    if (!is_whole(sides.at(2), scales[2]) || !is_whole(sides.at(3), scales[3])) {
      return write_products(node, draft, sides, scales);
    }
  }
  if (inputs.size() > 3 && (has_axes || draft.find_constant(inputs[3]) != nullptr)) {
    inputs = {inputs[0], "", "", written_sizes(node, draft)};
  } else if (has_axes) {
    inputs.at(2) = draft.constant("scales", torch::tensor(over_four_axes<float>(node, draft, 2, 1)));
  }
  node.attributes.erase("axes");
  draft.keep(std::move(node));
}

const RegisterOperators registered{
    {"Resize",
     resize,
     {{"antialias", kLeftOut},
      "axes",
      "coordinate_transformation_mode",
      {"cubic_coeff_a", kReal},
      "exclude_outside",
      {"extrapolation_value", kReal},
      {"keep_aspect_ratio_policy", kLeftOut},
      "mode",
      "nearest_mode"},
     1,
     OnnxForm{write_resize, read_resize}},
    {"Upsample",
     resize,
     {"coordinate_transformation_mode", "mode", "nearest_mode"},
     2,
     OnnxForm{write_resize, read_resize}},
};

}  // namespace

}  // namespace fercli::graph_operators_resize
