#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>
#include <set>

#include "core/build_info.hpp"
#include "core/error.hpp"
#include "core/files.hpp"
#include "models/files/onnx_proto.hpp"
#include "models/formats/export.hpp"
#include "models/formats/onnx/onnx_checker.hpp"

namespace fercli {

namespace {

constexpr int64_t kIrVersion = 8;
constexpr int64_t kUsualOpset = 13;  // what readers of 2021 and later know

constexpr int64_t kReductionsTakeAxes = 18;  // as an input, which was an attribute

/// The opset that knows this node in the form it has.
int64_t opset_of(const GraphNode& node) {
  static const std::map<std::string, int64_t> newer = {{"HardSwish", 14}, {"LayerNormalization", 17}};
  const auto found = newer.find(node.op);
  if (found != newer.end()) return found->second;
  if (node.op == "Reshape" && node.attributes.contains("allowzero")) return 14;
  if (node.op == "Shape" && (node.attributes.contains("start") || node.attributes.contains("end"))) return 15;
  if (node.op == "Pad" && node.inputs.size() > 3) return 18;
  if (node.op == "Split" && node.attributes.contains("num_outputs")) return 18;
  return kUsualOpset;
}

/// Attributes of other opsets that are read at their default alone, so that nothing is lost without them.
const std::map<std::string, std::vector<std::string>>& attributes_left_out() {
  static const std::map<std::string, std::vector<std::string>> left_out = {
      {"BatchNormalization", {"training_mode", "spatial"}},
      {"Resize", {"antialias", "keep_aspect_ratio_policy"}},
      {"AveragePool", {"dilations"}},
      {"Cast", {"saturate"}}};
  return left_out;
}

/// ReduceSum, which took them as an input before the others, is not among them.
bool is_reduction(const std::string& op) {
  static const std::set<std::string> reductions = {"ReduceMean", "ReduceMax", "ReduceMin", "ReduceL2", "ReduceProd"};
  return reductions.count(op) > 0;
}

/// Attributes that are inputs since opset 13, in their order from input 1 on.
const std::map<std::string, std::vector<std::string>>& attributes_as_inputs() {
  static const std::map<std::string, std::vector<std::string>> moved = {{"Clip", {"min", "max"}},
                                                                        {"Squeeze", {"axes"}},
                                                                        {"Unsqueeze", {"axes"}},
                                                                        {"ReduceSum", {"axes"}},
                                                                        {"Split", {"split"}},
                                                                        {"Pad", {"pads", "value"}},
                                                                        {"Slice", {"starts", "ends", "axes", "steps"}}};
  return moved;
}

void write_tensor(const std::string& name, const torch::Tensor& value, onnx::TensorProto& target) {
  const auto plain = value.detach().cpu().contiguous();
  switch (plain.scalar_type()) {
    case torch::kFloat32:
      target.set_data_type(onnx::TensorProto_DataType_FLOAT);
      break;
    case torch::kInt64:
      target.set_data_type(onnx::TensorProto_DataType_INT64);
      break;
    case torch::kInt32:
      target.set_data_type(onnx::TensorProto_DataType_INT32);
      break;
    case torch::kInt8:
      target.set_data_type(onnx::TensorProto_DataType_INT8);
      break;
    case torch::kUInt8:
      target.set_data_type(onnx::TensorProto_DataType_UINT8);
      break;
    case torch::kBool:
      target.set_data_type(onnx::TensorProto_DataType_BOOL);
      break;
    default:
      throw UserError(
          fmt::format("a constant of type {} cannot be written to ONNX", c10::toString(plain.scalar_type())));
  }
  target.set_name(name);
  for (const int64_t side : plain.sizes()) target.add_dims(side);
  target.set_raw_data(plain.data_ptr(), plain.nbytes());
}

void write_attribute(const std::string& name, const nlohmann::json& value, onnx::AttributeProto& target) {
  target.set_name(name);
  if (value.is_string()) {
    target.set_type(onnx::AttributeProto_AttributeType_STRING);
    target.set_s(value.get<std::string>());
  } else if (value.is_number_float()) {
    target.set_type(onnx::AttributeProto_AttributeType_FLOAT);
    target.set_f(value.get<float>());
  } else if (value.is_array()) {
    target.set_type(onnx::AttributeProto_AttributeType_INTS);
    for (const auto& element : value) target.add_ints(element.get<int64_t>());
  } else {
    target.set_type(onnx::AttributeProto_AttributeType_INT);
    target.set_i(value.get<int64_t>());
  }
}

constexpr int64_t kFloat = onnx::TensorProto_DataType_FLOAT;

/// One of ONNX's codes for element types.
bool is_floating(int64_t code) {
  return code == kFloat || code == onnx::TensorProto_DataType_FLOAT16 || code == onnx::TensorProto_DataType_DOUBLE ||
         code == onnx::TensorProto_DataType_BFLOAT16;
}

/// Which attributes are real numbers whatever their JSON type.
bool is_real(const std::string& name) {
  static const std::set<std::string> real = {"alpha", "beta", "epsilon", "momentum", "gamma", "ratio"};
  return real.count(name) > 0;
}

class OnnxWriting {
 public:
  explicit OnnxWriting(Graph graph) : graph_(std::move(graph)) {}

  onnx::ModelProto run(const std::vector<int64_t>& shape, int64_t classes) {
    onnx::ModelProto model;
    auto& target = *model.mutable_graph();
    target.set_name("fercli");
    for (auto& node : graph_.nodes) {
      settle(node);
      opset_ = std::max(opset_, opset_of(node));
    }
    spell_out_scales(shape);
    for (const auto& node : lowered()) write_node(node, target);
    for (const auto& [name, value] : graph_.constants) write_tensor(name, value, *target.add_initializer());
    declare(graph_.input, {shape.begin(), shape.end()}, *target.add_input());
    declare(graph_.output, {classes}, *target.add_output());
    model.set_ir_version(kIrVersion);
    model.set_producer_name("fercli");
    model.set_producer_version(git_revision());
    auto& set = *model.add_opset_import();
    set.set_domain("");
    set.set_version(opset_);
    return model;
  }

 private:
  /// The nodes, those in ONNX's words only. Values made on the way are named after the node.
  std::vector<GraphNode> lowered() {
    std::vector<GraphNode> nodes;
    for (auto node : std::exchange(graph_.nodes, {})) {
      const auto add = [&](const std::string& op, std::vector<std::string> inputs, const std::string& output) {
        nodes.push_back({op, node.name + "/" + op + std::to_string(nodes.size()), std::move(inputs), {output}});
        return output;
      };
      const auto scalar = [&](float value) { return graph_.constant("scalar", torch::tensor(value)); };
      // No value of the graph begins with "w:".
      const auto step = [&](const std::string& what) { return "w:" + node.outputs[0] + "/" + what; };
      const std::string x = node.inputs.empty() ? "" : node.inputs[0];
      if (node.op == "Silu") {
        add("Mul", {x, add("Sigmoid", {x}, step("gate"))}, node.outputs[0]);
      } else if (node.op == "Mish") {
        add("Mul", {x, add("Tanh", {add("Softplus", {x}, step("softplus"))}, step("gate"))}, node.outputs[0]);
      } else if (node.op == "Gelu" && node.attributes.value("approximate", "none") == "none") {
        const auto erf = add("Erf", {add("Mul", {x, scalar(0.70710678F)}, step("scaled"))}, step("erf"));
        const auto gate = add("Mul", {add("Add", {erf, scalar(1)}, step("shifted")), scalar(0.5F)}, step("gate"));
        add("Mul", {x, gate}, node.outputs[0]);
      } else if (node.attributes.contains("over_all_from")) {
        const auto flat = add("Flatten", {x}, step("flat"));
        nodes.back().attributes["axis"] = node.attributes["over_all_from"];
        const auto share = add(node.op, {flat}, step("share"));
        nodes.back().attributes["axis"] = 1;
        add("Reshape", {share, add("Shape", {x}, step("shape"))}, node.outputs[0]);
      } else if (node.op == "Gelu") {  // 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))
        const auto square = add("Mul", {x, x}, step("square"));
        const auto bend = add("Add", {add("Mul", {square, scalar(0.044715F)}, step("share")), scalar(1)}, step("bend"));
        const auto scaled = add("Mul", {add("Mul", {x, bend}, step("bent")), scalar(0.79788456F)}, step("scaled"));
        const auto shifted = add("Add", {add("Tanh", {scaled}, step("tanh")), scalar(1)}, step("shifted"));
        add("Mul", {x, add("Mul", {shifted, scalar(0.5F)}, step("gate"))}, node.outputs[0]);
      } else {
        const bool has_sizes = node.inputs.size() > 3, has_axes = node.attributes.contains("axes");
        if (node.op == "Resize" && has_sizes && (has_axes || graph_.constants.count(node.inputs[3]) > 0)) {
          // The batch is the image's, whatever the sizes say.
          const auto sides = over_four_axes<int64_t>(node, 3, 0);
          const auto shape = add("Shape", {x}, step("shape"));
          const auto side = [&](int64_t from, int64_t to) {
            return add("Slice", {shape, whole({from}), whole({to})}, step(fmt::format("side{}", from)));
          };
          std::vector<std::string> parts{side(0, 2)};
          for (const int64_t d : {2, 3}) {
            const int64_t wanted = sides[static_cast<size_t>(d)];
            parts.push_back(wanted > 0 ? whole({wanted}) : side(d, d + 1));
          }
          node.inputs = {x, "", "", add("Concat", parts, step("sizes"))};
          nodes.back().attributes["axis"] = 0;
        } else if (node.op == "Resize" && has_axes) {
          node.inputs[2] = graph_.constant("scales", torch::tensor(over_four_axes<float>(node, 2, 1)));
        }
        if (node.op == "Resize") node.attributes.erase("axes");
        if (is_reduction(node.op)) move_axes(node);
        move_attributes(node);
        if (node.op == "Split" && opset_ >= 18 && node.inputs.size() < 2) {
          node.attributes["num_outputs"] = node.outputs.size();
        }
        nodes.push_back(std::move(node));
      }
    }
    return nodes;
  }

  /// Where a scale makes no whole number of pixels, ONNX Runtime rounds otherwise than ONNX's own reference, and copies
  /// an image whose size the scale leaves as it is. So each such scaling is written as two products with matrices.
  void spell_out_scales(const std::vector<int64_t>& image) {
    const Graph graph = graph_;
    graph_.nodes.clear();
    for (const auto& node : graph.nodes) {
      const bool scaled = node.op == "Resize" && node.inputs.size() == 3 && graph.constants.count(node.inputs[2]) > 0;
      const auto sides = scaled ? sides_of(graph, node.inputs[0], image) : std::vector<int64_t>{};
      const auto scales = scaled ? over_four_axes<float>(node, 2, 1) : std::vector<float>{};
      if (!scaled || (is_whole(sides.at(2), scales[2]) && is_whole(sides.at(3), scales[3]))) {
        graph_.nodes.push_back(node);
        continue;
      }
      std::string last = node.inputs[0];
      const auto add = [&](const char* op, std::vector<std::string> inputs, const nlohmann::json& attributes) {
        const std::string output = "w:" + node.outputs[0] + "/" + std::to_string(graph_.nodes.size());
        graph_.nodes.push_back({op, node.name, std::move(inputs), {output}, attributes});
        last = output;
      };
      for (const size_t d : {3, 2}) {
        add("MatMul", {last, graph_.constant("scaling", scaling(node, sides[d], scales[d]))}, nlohmann::json::object());
        add("Transpose", {last}, {{"perm", {0, 1, 3, 2}}});
      }
      graph_.nodes.back().outputs = node.outputs;
    }
  }

  static bool is_whole(int64_t side, float scale) {
    const double length = static_cast<double>(side) * scale;
    return length == std::floor(length);
  }

  /// The sides of a value that one image of these sides gives.
  static std::vector<int64_t> sides_of(Graph graph, const std::string& value, const std::vector<int64_t>& image) {
    std::vector<int64_t> sides{1};
    sides.insert(sides.end(), image.begin(), image.end());
    graph.output = value;
    return GraphModel(std::move(graph)).executor()->logits(torch::zeros(sides)).sizes().vec();
  }

  /// (side, its result): what the node does to one axis of this side.
  static torch::Tensor scaling(GraphNode node, int64_t side, float scale) {
    node.attributes.erase("axes");
    Graph alone{{node}, {{node.inputs[2], torch::tensor({1.0F, 1.0F, 1.0F, scale})}}, node.inputs[0], node.outputs[0]};
    const auto ones = torch::eye(side).view({1, 1, side, side});
    return GraphModel(std::move(alone)).executor()->logits(ones).view({side, -1});
  }

  /// In the words of one opset: what is at its default, or was elsewhere, in earlier or later ones.
  void settle(GraphNode& node) {
    auto& attributes = node.attributes;
    if (node.op == "Upsample" || (node.op == "Resize" && node.inputs.size() == 2)) {
      node.op = "Resize";
      node.inputs.insert(node.inputs.begin() + 1, "");
    }
    for (size_t i = 1; node.op == "Resize" && i < node.inputs.size(); ++i) {
      const auto value = graph_.constants.find(node.inputs[i]);
      // The first belongs to another way of resizing, which is not read.
      if (i == 1 || (value != graph_.constants.end() && value->second.numel() == 0)) node.inputs[i].clear();
    }
    if (node.op == "ConstantOfShape") {  // its value is an attribute there
      node.op = "Expand";
      node.inputs = {node.inputs.size() > 1 ? node.inputs[1] : graph_.constant("zero", torch::zeros({1})),
                     node.inputs[0]};
    }
    const auto left_out = attributes_left_out().find(node.op);
    if (left_out != attributes_left_out().end()) {
      for (const auto& name : left_out->second) attributes.erase(name);
    }
    // Constants are float32 here, whatever they were in the file, and so is the arithmetic between them.
    if (node.op == "Cast" && is_floating(attributes.value("to", kFloat))) attributes["to"] = kFloat;
    if (node.op == "Reshape" && attributes.value("allowzero", 0) == 0) attributes.erase("allowzero");
    if (node.op == "Split" && (node.inputs.size() > 1 || attributes.contains("split"))) attributes.erase("num_outputs");
    while (!node.inputs.empty() && node.inputs.back().empty()) node.inputs.pop_back();
  }

  /// The numbers of input `place`, which are those of some axes of an image, at their axes; `otherwise` at the others.
  template <class Number>
  std::vector<Number> over_four_axes(const GraphNode& node, size_t place, Number otherwise) const {
    const auto given = constant_input(node, place, "sizes or scales").to(c10::CppTypeToScalarType<Number>::value);
    const auto axes = node.attributes.value("axes", std::vector<int64_t>{0, 1, 2, 3});
    std::vector<Number> all(4, otherwise);
    for (size_t i = 0; i < axes.size(); ++i) {
      all.at(static_cast<size_t>(axes[i] < 0 ? axes[i] + 4 : axes[i])) =
          given[static_cast<int64_t>(i)].template item<Number>();
    }
    return all;
  }

  /// The axes of a reduction go where the opset has them.
  void move_axes(GraphNode& node) {
    auto& attributes = node.attributes;
    if (opset_ >= kReductionsTakeAxes) {
      if (attributes.contains("axes")) node.inputs = {node.inputs[0], whole(attributes["axes"])};
      attributes.erase("axes");
      return;
    }
    if (node.inputs.size() > 1) {
      const auto axes = constant_input(node, 1, "axes").to(torch::kInt64);
      if (axes.numel() > 0)
        attributes["axes"] = std::vector<int64_t>(axes.data_ptr<int64_t>(), axes.data_ptr<int64_t>() + axes.numel());
      node.inputs.resize(1);
    }
    const bool keeps_all = attributes.value("noop_with_empty_axes", 0) != 0 && !attributes.contains("axes");
    attributes.erase("noop_with_empty_axes");
    if (keeps_all) node.op = "Identity", attributes.clear();
  }

  torch::Tensor constant_input(const GraphNode& node, size_t i, const char* what) const {
    const auto value = graph_.constants.find(node.inputs.at(i));
    if (value != graph_.constants.end()) return value->second.flatten().contiguous();
    throw UserError(
        fmt::format("node '{}' ({}): {} that are computed cannot be written to ONNX", node.name, node.op, what));
  }

  std::string whole(const std::vector<int64_t>& values) {
    return graph_.constant("whole", torch::tensor(values, torch::kInt64));
  }

  void move_attributes(GraphNode& node) {
    const auto moved = attributes_as_inputs().find(node.op);
    if (moved == attributes_as_inputs().end()) return;
    for (size_t i = 0; i < moved->second.size(); ++i) {
      const auto& name = moved->second[i];
      if (!node.attributes.contains(name)) continue;
      const auto value = node.attributes[name];
      node.attributes.erase(name);
      node.inputs.resize(std::max(node.inputs.size(), i + 2));
      node.inputs[i + 1] =
          graph_.constant(name, value.is_array() ? torch::tensor(value.get<std::vector<int64_t>>(), torch::kInt64)
                                                 : torch::tensor(value.get<float>()));
    }
  }

  /// ONNX wants names of nodes unique; layers of other formats may become several nodes of one name.
  std::string unique_name(const std::string& wanted) {
    std::string name = wanted;
    for (int64_t number = 1; !names_.insert(name).second; ++number) name = fmt::format("{}#{}", wanted, number);
    return name;
  }

  void write_node(const GraphNode& node, onnx::GraphProto& graph) {
    auto& target = *graph.add_node();
    target.set_op_type(node.op);
    target.set_name(unique_name(node.name));
    for (const auto& input : node.inputs) target.add_input(input);
    for (const auto& output : node.outputs) target.add_output(output);
    for (const auto& [name, value] : node.attributes.items()) {
      const bool real = value.is_number() && is_real(name);
      write_attribute(name, real ? nlohmann::json(value.get<double>()) : value, *target.add_attribute());
    }
  }

  static void declare(const std::string& name, const std::vector<int64_t>& sides, onnx::ValueInfoProto& target) {
    target.set_name(name);
    auto& type = *target.mutable_type()->mutable_tensor_type();
    type.set_elem_type(onnx::TensorProto_DataType_FLOAT);
    type.mutable_shape()->add_dim()->set_dim_param("batch");
    for (const int64_t side : sides) type.mutable_shape()->add_dim()->set_dim_value(side);
  }

  Graph graph_;
  int64_t opset_ = kUsualOpset;
  std::set<std::string> names_;  // of nodes written
};

/// "input" and "logits", whatever the graph called them.
void rename_ends(Graph& graph) {
  const auto rename = [&](std::string& name) {
    if (name == graph.input)
      name = "input";
    else if (name == graph.output)
      name = "logits";
    else if (!name.empty())
      name = "v:" + name;
  };
  std::map<std::string, torch::Tensor> constants;
  for (auto& [name, value] : graph.constants) constants["v:" + name] = value;
  for (auto& node : graph.nodes) {
    for (auto& name : node.inputs) rename(name);
    for (auto& name : node.outputs) rename(name);
  }
  graph.constants = std::move(constants);
  graph.input = "input";
  graph.output = "logits";
}

}  // namespace

void write_onnx(Graph graph, const std::vector<int64_t>& shape, int64_t classes, const std::filesystem::path& path) {
  rename_ends(graph);
  const auto model = OnnxWriting(std::move(graph)).run(shape, classes);
  std::string bytes;
  if (!model.SerializeToString(&bytes))
    throw RunError(fmt::format("{}: the network is too large for an ONNX file", path.string()));
  if (!onnx_fault(bytes).empty()) {
    throw RunError(fmt::format(
        "{}: not written, as ONNX's checker refuses what it would be; --format torchscript may do", path.string()));
  }
  write_file(path, bytes);
}

}  // namespace fercli
