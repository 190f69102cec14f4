// Operators that move values about: shapes, cutting and joining, padding, resizing. Shapes that a file computes are
// int64 tensors on the CPU, like any other value.
#include <ATen/ATen.h>
#include <fmt/format.h>

#include "models/graph/operator.hpp"

namespace fercli::graph_operators_shape {

namespace {

torch::Tensor to_tensor(const std::vector<int64_t>& values) {
  return torch::tensor(values, torch::kInt64);
}

/// ONNX's element types that can be cast to.
torch::ScalarType element_type(const OperatorCall& c, int64_t code) {
  switch (code) {
    case 1:
    case 10:
    case 11:
    case 16:
      return torch::kFloat32;
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
Tensors reshape(const OperatorCall& c) {
  auto shape = c.integers(1, "shape", {});
  const bool copies_batch = !shape.empty() && shape[0] == 0 && c.integer("allowzero", 0) == 0;
  int64_t known = 1;
  for (size_t d = 0; d < shape.size(); ++d) {
    if (shape[d] == 0 && c.integer("allowzero", 0) == 0 && static_cast<int64_t>(d) < c[0].dim()) {
      shape[d] = c[0].size(static_cast<int64_t>(d));
    }
    if (shape[d] > 0) known *= shape[d];
  }
  if (copies_batch && known > 0 && c[0].numel() > 0) {
    for (int64_t& side : shape) {
      if (side == -1) side = c[0].numel() / known;
    }
    shape[0] = -1;
  }
  int64_t open = 0, product = 1;
  for (const int64_t side : shape) {
    if (side < -1 || (side > 0 && product > (int64_t{1} << 40) / side)) product = -1;
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
      y = y.flip({axis}).slice(axis, side - 1 - begin, side - 1 - end, -steps[i]);
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
  const auto given = c.integers(1, "pads", {});
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
    if (std::abs(pads[d]) > (1 << 20) || std::abs(pads[d + dim]) > (1 << 20)) c.fail("has impossible pads");
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

/// Where along one axis each result comes from: position = i * in / length in the way `mode` says. Divided last, since
/// the nearest pixel of a whole position hangs on its last bit.
torch::Tensor source_positions(const OperatorCall& c, int64_t in, int64_t out, double length, const std::string& mode) {
  const auto i = at::arange(out, torch::kFloat64);
  if (mode == "asymmetric") return i * in / length;
  if (mode == "align_corners")
    return out > 1 ? i * (static_cast<double>(in - 1) / static_cast<double>(out - 1)) : i * 0;
  if (mode == "pytorch_half_pixel" && out == 1) return i * 0;
  if (mode == "half_pixel" || mode == "pytorch_half_pixel") return (i + 0.5) * in / length - 0.5;
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
    const auto values = c[place].to(torch::kFloat64).contiguous();
    scales.assign(values.data_ptr<double>(), values.data_ptr<double>() + values.numel());
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

const RegisterOperators registered{
    {"Identity", pass},
    {"Dropout", pass, {"ratio", "seed"}},
    {"Cast", cast, {"to", "saturate"}},
    {"Shape", shape_of, {"start", "end"}},
    {"Reshape", reshape, {"allowzero"}},
    {"Flatten", flatten, {"axis"}},
    {"Transpose", transpose, {"perm"}},
    {"Squeeze", squeeze, {"axes"}},
    {"Unsqueeze", unsqueeze, {"axes"}},
    {"Concat", concat, {"axis"}},
    {"Split", split, {"axis", "split", "num_outputs"}},
    {"Slice", slice, {"axes", "starts", "ends"}},
    {"Gather", gather, {"axis"}},
    {"Expand", expand},
    {"Tile", tile},
    {"ConstantOfShape", constant_of_shape},
    {"Where", where},
    {"Pad", pad, {"mode", "pads", "value"}},
    {"Resize",
     resize,
     {"antialias", "axes", "coordinate_transformation_mode", "cubic_coeff_a", "exclude_outside", "extrapolation_value",
      "keep_aspect_ratio_policy", "mode", "nearest_mode"}},
    {"Upsample", resize, {"coordinate_transformation_mode", "mode", "nearest_mode"}},
    {"DepthToSpace", depth_to_space, {"blocksize", "mode"}},
};

}  // namespace

}  // namespace fercli::graph_operators_shape
