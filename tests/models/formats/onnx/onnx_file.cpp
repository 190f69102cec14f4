#include "tests/models/formats/onnx/onnx_file.hpp"

#include "core/files.hpp"
#include "models/files/onnx_proto.hpp"

namespace fercli::test {

namespace {

void write_attribute(const std::string& name, const nlohmann::json& value, onnx::AttributeProto& target) {
  target.set_name(name);
  const bool list = value.is_array(), real = (list ? value.at(0) : value).is_number_float();
  if (value.is_string()) {
    target.set_type(onnx::AttributeProto_AttributeType_STRING);
    target.set_s(value.get<std::string>());
  } else if (list && real) {
    target.set_type(onnx::AttributeProto_AttributeType_FLOATS);
    for (const auto& element : value) target.add_floats(element.get<float>());
  } else if (list) {
    target.set_type(onnx::AttributeProto_AttributeType_INTS);
    for (const auto& element : value) target.add_ints(element.get<int64_t>());
  } else if (real) {
    target.set_type(onnx::AttributeProto_AttributeType_FLOAT);
    target.set_f(value.get<float>());
  } else {
    target.set_type(onnx::AttributeProto_AttributeType_INT);
    target.set_i(value.get<int64_t>());
  }
}

std::string add_constant(const torch::Tensor& value, onnx::GraphProto& graph) {
  auto& tensor = *graph.add_initializer();
  tensor.set_name("constant" + std::to_string(graph.initializer_size()));
  const auto type = value.scalar_type();
  tensor.set_data_type(type == torch::kInt64   ? onnx::TensorProto_DataType_INT64
                       : type == torch::kInt32 ? onnx::TensorProto_DataType_INT32
                       : type == torch::kInt8  ? onnx::TensorProto_DataType_INT8
                       : type == torch::kUInt8 ? onnx::TensorProto_DataType_UINT8
                       : type == torch::kBool  ? onnx::TensorProto_DataType_BOOL
                                               : onnx::TensorProto_DataType_FLOAT);
  for (const int64_t side : value.sizes()) tensor.add_dims(side);
  const auto plain = value.contiguous();
  tensor.set_raw_data(plain.data_ptr(), plain.nbytes());
  return tensor.name();
}

void add_node(const OnnxNode& node, onnx::GraphProto& graph) {
  std::vector<std::string> inputs;
  for (const auto& input : node.inputs) {
    const auto* name = std::get_if<std::string>(&input);
    inputs.push_back(name != nullptr ? *name : add_constant(std::get<torch::Tensor>(input), graph));
  }
  auto& target = *graph.add_node();
  target.set_op_type(node.op);
  target.set_name(node.outputs.empty() ? node.op : node.op + "_" + node.outputs.front());
  for (const auto& input : inputs) target.add_input(input);
  for (const auto& output : node.outputs) target.add_output(output);
  for (const auto& [name, value] : node.attributes.items()) write_attribute(name, value, *target.add_attribute());
}

/// float32 (N, sides...)
void declare(const std::string& name, const std::vector<int64_t>& sides, onnx::ValueInfoProto& target) {
  target.set_name(name);
  auto& type = *target.mutable_type()->mutable_tensor_type();
  type.set_elem_type(onnx::TensorProto_DataType_FLOAT);
  type.mutable_shape()->add_dim()->set_dim_param("N");
  for (const int64_t side : sides) type.mutable_shape()->add_dim()->set_dim_value(side);
}

}  // namespace

void write_onnx(const OnnxNetwork& network, const std::filesystem::path& path) {
  onnx::ModelProto model;
  model.set_ir_version(7);
  auto& set = *model.add_opset_import();
  set.set_domain("");
  set.set_version(network.opset);
  auto& graph = *model.mutable_graph();
  graph.set_name(network.name);
  declare(network.input, network.image, *graph.add_input());
  for (const auto& node : network.nodes) add_node(node, graph);
  for (const auto& output : network.outputs) declare(output, {}, *graph.add_output());
  write_file(path, model.SerializeAsString());
}

}  // namespace fercli::test
