#include <ATen/ATen.h>
#include <fmt/format.h>

#include <set>

#include "core/build_info.hpp"
#include "core/error.hpp"
#include "core/files.hpp"
#include "models/files/onnx_proto.hpp"
#include "models/formats/export.hpp"
#include "models/formats/onnx/onnx_checker.hpp"
#include "models/graph/attributes.hpp"
#include "models/graph/onnx_draft.hpp"

namespace fercli {

namespace {

constexpr int64_t kIrVersion = 8;
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

void write_attribute(const GraphNode& node, const std::string& name, onnx::AttributeProto& target) {
  const auto& value = node.attributes.at(name);
  target.set_name(name);
  if (value.is_string()) {
    target.set_type(onnx::AttributeProto_AttributeType_STRING);
    target.set_s(value.get<std::string>());
  } else if (value.is_number_float()) {
    target.set_type(onnx::AttributeProto_AttributeType_FLOAT);
    target.set_f(value.get<float>());
  } else if (value.is_array()) {
    target.set_type(onnx::AttributeProto_AttributeType_INTS);
    for (const int64_t element : whole_attributes(node, name, {})) target.add_ints(element);
  } else {
    target.set_type(onnx::AttributeProto_AttributeType_INT);
    target.set_i(whole_attribute(node, name, 0));
  }
}

/// ONNX wants names of nodes unique; layers of other formats may become several nodes of one name.
std::string unique_name(const std::string& wanted, std::set<std::string>& names) {
  std::string name = wanted;
  for (int64_t number = 1; !names.insert(name).second; ++number) name = fmt::format("{}#{}", wanted, number);
  return name;
}

void write_node(const GraphNode& node, const std::string& name, onnx::NodeProto& target) {
  target.set_op_type(node.op);
  target.set_name(name);
  for (const auto& input : node.inputs) target.add_input(input);
  for (const auto& output : node.outputs) target.add_output(output);
  for (const auto& entry : node.attributes.items()) write_attribute(node, entry.key(), *target.add_attribute());
}

void declare_value(const std::string& name, const std::vector<int64_t>& sides, onnx::ValueInfoProto& target) {
  target.set_name(name);
  auto& type = *target.mutable_type()->mutable_tensor_type();
  type.set_elem_type(onnx::TensorProto_DataType_FLOAT);
  type.mutable_shape()->add_dim()->set_dim_param("batch");
  for (const int64_t side : sides) type.mutable_shape()->add_dim()->set_dim_value(side);
}

onnx::ModelProto onnx_model_of(const Graph& graph, const std::vector<int64_t>& shape, int64_t classes) {
  const OnnxDraft draft(graph, shape);
  onnx::ModelProto model;
  auto& target = *model.mutable_graph();
  target.set_name("fercli");
  std::set<std::string> names;
  for (const auto& node : draft.nodes()) write_node(node, unique_name(node.name, names), *target.add_node());
  for (const auto& [name, value] : draft.constants()) write_tensor(name, value, *target.add_initializer());
  declare_value(graph.input, shape, *target.add_input());
  declare_value(graph.output, {classes}, *target.add_output());
  model.set_ir_version(kIrVersion);
  model.set_producer_name("fercli");
  model.set_producer_version(git_revision());
  auto& set = *model.add_opset_import();
  set.set_domain("");
  set.set_version(draft.opset());
  return model;
}

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
  const auto model = onnx_model_of(graph, shape, classes);
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
