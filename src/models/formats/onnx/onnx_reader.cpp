// ONNX files (https://github.com/onnx/onnx), by their protobuf definition.
#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/error.hpp"
#include "core/files.hpp"
#include "core/reason.hpp"
#include "models/files/onnx_proto.hpp"
#include "models/graph/operator.hpp"

namespace fercli::onnx_format {

namespace {

constexpr int64_t kOldestOpset = 7, kNewestOpset = 20;

torch::ScalarType scalar_type_of(const onnx::TensorProto& tensor) {
  switch (tensor.data_type()) {
    case onnx::TensorProto_DataType_FLOAT:
      return torch::kFloat32;
    case onnx::TensorProto_DataType_DOUBLE:
      return torch::kFloat64;
    case onnx::TensorProto_DataType_FLOAT16:
      return torch::kFloat16;
    case onnx::TensorProto_DataType_BFLOAT16:
      return torch::kBFloat16;
    case onnx::TensorProto_DataType_INT64:
      return torch::kInt64;
    case onnx::TensorProto_DataType_INT32:
      return torch::kInt32;
    case onnx::TensorProto_DataType_INT8:
      return torch::kInt8;
    case onnx::TensorProto_DataType_UINT8:
      return torch::kUInt8;
    case onnx::TensorProto_DataType_BOOL:
      return torch::kBool;
    default:
      throw UserError(
          fmt::format("the tensor '{}' has the unsupported element type {}", tensor.name(), tensor.data_type()));
  }
}

/// Copies typed fields, whose entries may be wider than the elements.
template <class Field>
torch::Tensor from_field(const Field& field, torch::ScalarType stored, torch::ScalarType wanted) {
  auto values = torch::empty({static_cast<int64_t>(field.size())}, stored);
  std::copy_n(reinterpret_cast<const char*>(field.data()), values.nbytes(), static_cast<char*>(values.data_ptr()));
  if (stored == torch::kInt32 && (wanted == torch::kFloat16 || wanted == torch::kBFloat16)) {
    return values.to(torch::kInt16).view(wanted);  // the bits of a half float in an int32
  }
  return values.to(wanted);
}

torch::Tensor read_tensor(const onnx::TensorProto& tensor) {
  const auto type = scalar_type_of(tensor);
  const std::vector<int64_t> shape(tensor.dims().begin(), tensor.dims().end());
  if (tensor.data_location() == onnx::TensorProto_DataLocation_EXTERNAL) {
    throw UserError(
        fmt::format("the tensor '{}' lies in another file; save the model with its weights inside", tensor.name()));
  }
  torch::Tensor flat;
  if (tensor.has_raw_data()) {
    const auto& raw = tensor.raw_data();
    const auto size = static_cast<int64_t>(torch::elementSize(type));
    flat = torch::empty({static_cast<int64_t>(raw.size()) / size}, type);
    std::copy_n(raw.data(), flat.nbytes(), static_cast<char*>(flat.data_ptr()));
    if (type == torch::kBool) flat.view(torch::kUInt8).ne_(0);
  } else if (type == torch::kFloat32) {
    flat = from_field(tensor.float_data(), torch::kFloat32, type);
  } else if (type == torch::kFloat64) {
    flat = from_field(tensor.double_data(), torch::kFloat64, type);
  } else if (type == torch::kInt64) {
    flat = from_field(tensor.int64_data(), torch::kInt64, type);
  } else {
    flat = from_field(tensor.int32_data(), torch::kInt32, type);
  }
  int64_t elements = 1;
  bool possible = true;
  for (const int64_t side : shape) {
    possible = possible && side >= 0 && (side == 0 || elements <= flat.numel() / side);
    elements = possible ? elements * side : 0;
  }
  if (!possible || elements != flat.numel()) {
    throw UserError(fmt::format("the tensor '{}' has shape ({}), but {} values", tensor.name(), fmt::join(shape, ","),
                                flat.numel()));
  }
  return flat.reshape(shape);
}

bool is_standard(const std::string& domain) {
  return domain.empty() || domain == "ai.onnx";
}

class OnnxReading {
 public:
  OnnxReading(const onnx::ModelProto& model, std::string file)
      : model_(model), source_(model.graph()), file_(std::move(file)) {}

  ImportedModel run(const ImportOptions& options) {
    read_opset();
    for (const auto& tensor : source_.initializer()) graph_.constants[tensor.name()] = read_tensor(tensor);
    if (source_.sparse_initializer_size() > 0) throw UserError("sparse weights are not supported");
    const ImportedModel shape = read_input();
    for (const auto& node : source_.node()) read_node(node);
    std::vector<std::string> outputs;
    for (const auto& output : source_.output()) outputs.push_back(output.name());
    graph_.output = choose_output(outputs, outputs, options, file_);
    ImportedModel imported = import_graph(std::move(graph_), file_, options);
    imported.whole_pixels = whole_pixels_;
    imported.channels = shape.channels;
    imported.height = shape.height;
    imported.width = shape.width;
    return imported;
  }

 private:
  void read_opset() {
    for (const auto& set : model_.opset_import()) {
      if (is_standard(set.domain())) opset_ = set.version();
    }
    if (opset_ < kOldestOpset || opset_ > kNewestOpset) {
      throw UserError(fmt::format("has opset {}; {} to {} are read", opset_, kOldestOpset, kNewestOpset));
    }
  }

  /// The one input that is no weight. TensorFlow's are (N,H,W,C); they are turned.
  ImportedModel read_input() {
    const onnx::ValueInfoProto* input = nullptr;
    for (const auto& candidate : source_.input()) {
      if (graph_.constants.count(candidate.name()) > 0) continue;
      if (input != nullptr)
        throw UserError(fmt::format("has more than one input ('{}', '{}')", input->name(), candidate.name()));
      input = &candidate;
    }
    if (input == nullptr) throw UserError("has no input");
    graph_.input = input->name();
    read_input_type(*input);
    const auto& shape = input->type().tensor_type().shape();
    if (shape.dim_size() == 0) return {};
    if (shape.dim_size() != 4)
      throw UserError(fmt::format("its input has {} axes, where images have four", shape.dim_size()));
    std::vector<int64_t> sides;
    for (const auto& side : shape.dim()) sides.push_back(side.has_dim_value() ? side.dim_value() : 0);
    fixed_batch_ = sides[0];
    if (fixed_batch_ == 1) of_image_.insert(input->name());
    const auto is_channels = [](int64_t side) { return side == 1 || side == 3; };
    if (!is_channels(sides[1]) && is_channels(sides[3])) {
      const std::string turned = input->name();
      graph_.input = turned + ":NCHW";
      graph_.nodes.push_back({"Transpose", "input", {graph_.input}, {turned}, {{"perm", {0, 2, 3, 1}}}});
      return {nullptr, sides[3], sides[1], sides[2]};
    }
    return {nullptr, sides[1], sides[2], sides[3]};
  }

  /// Whole numbers are pixels of 0 to 255.
  void read_input_type(const onnx::ValueInfoProto& input) {
    switch (input.type().tensor_type().elem_type()) {
      case onnx::TensorProto_DataType_UNDEFINED:
      case onnx::TensorProto_DataType_FLOAT:
      case onnx::TensorProto_DataType_FLOAT16:
      case onnx::TensorProto_DataType_BFLOAT16:
      case onnx::TensorProto_DataType_DOUBLE:
        return;
      case onnx::TensorProto_DataType_UINT8:
      case onnx::TensorProto_DataType_UINT16:
      case onnx::TensorProto_DataType_INT16:
      case onnx::TensorProto_DataType_UINT32:
      case onnx::TensorProto_DataType_INT32:
      case onnx::TensorProto_DataType_INT64:
        whole_pixels_ = true;
        return;
      default:
        throw UserError(fmt::format("its input '{}' has the element type {}, which pixels cannot have", input.name(),
                                    onnx::TensorProto_DataType_Name(input.type().tensor_type().elem_type())));
    }
  }

  void read_node(const onnx::NodeProto& source) {
    GraphNode node{is_standard(source.domain()) ? source.op_type() : source.domain() + "." + source.op_type(),
                   node_name(source),
                   {source.input().begin(), source.input().end()},
                   {source.output().begin(), source.output().end()}};
    if (node.op == "Constant") {
      graph_.constants[source.output().empty() ? node.name : source.output(0)] = constant_value(source);
      return;
    }
    for (const auto& attribute : source.attribute()) read_attribute(attribute, node);
    const size_t first = graph_.nodes.size();
    if (const auto read = fact_of<OnnxForm>(node).read) {
      if (node.outputs.empty()) throw UserError(fmt::format("node '{}' ({}): it has no output", node.name, node.op));
      read(node, graph_, opset_);
    }
    graph_.nodes.push_back(std::move(node));
    for (size_t i = first; i < graph_.nodes.size(); ++i) settle_batch(graph_.nodes[i]);
  }

  std::string node_name(const onnx::NodeProto& source) const {
    if (!source.name().empty()) return source.name();
    return source.output_size() > 0 ? source.output(0) : source.op_type();
  }

  torch::Tensor constant_value(const onnx::NodeProto& source) const {
    if (source.attribute_size() != 1) throw UserError(fmt::format("the constant '{}' has no value", node_name(source)));
    const auto& value = source.attribute(0);
    switch (value.type()) {
      case onnx::AttributeProto_AttributeType_TENSOR:
        return read_tensor(value.t());
      case onnx::AttributeProto_AttributeType_FLOAT:
        return torch::tensor(value.f());
      case onnx::AttributeProto_AttributeType_INT:
        return torch::tensor(static_cast<int64_t>(value.i()));
      case onnx::AttributeProto_AttributeType_FLOATS:
        return from_field(value.floats(), torch::kFloat32, torch::kFloat32);
      case onnx::AttributeProto_AttributeType_INTS:
        return from_field(value.ints(), torch::kInt64, torch::kInt64);
      default:
        throw UserError(fmt::format("the constant '{}' is of an unsupported kind", node_name(source)));
    }
  }

  /// A tensor among the attributes (ConstantOfShape) becomes a second input.
  void read_attribute(const onnx::AttributeProto& attribute, GraphNode& node) {
    auto& target = node.attributes[attribute.name()];
    switch (attribute.type()) {
      case onnx::AttributeProto_AttributeType_FLOAT:
        target = attribute.f();
        break;
      case onnx::AttributeProto_AttributeType_INT:
        target = attribute.i();
        break;
      case onnx::AttributeProto_AttributeType_STRING:
        target = attribute.s();
        break;
      case onnx::AttributeProto_AttributeType_FLOATS:
        target = std::vector<float>(attribute.floats().begin(), attribute.floats().end());
        break;
      case onnx::AttributeProto_AttributeType_INTS:
        target = std::vector<int64_t>(attribute.ints().begin(), attribute.ints().end());
        break;
      case onnx::AttributeProto_AttributeType_TENSOR:
        node.attributes.erase(attribute.name());
        node.inputs.push_back(graph_.constant(node.name + "." + attribute.name(), read_tensor(attribute.t())));
        break;
      default:
        node.attributes.erase(attribute.name());  // sub-graphs: their operators are reported as unsupported
    }
  }

  /// A file that is made for one batch size writes it down. Where that is one image, it may leave the axis of the batch
  /// out, for a value of (K): the axis stays, for (N,K). Sizes, which are one-dimensional too, are none of the image's
  /// values.
  void settle_batch(GraphNode& node) {
    if (fixed_batch_ <= 0) return;
    const auto reads = [&](const std::set<std::string>& values) {
      return std::any_of(node.inputs.begin(), node.inputs.end(),
                         [&](const std::string& name) { return values.count(name) > 0; });
    };
    const std::string first = node.inputs.empty() ? "" : node.inputs[0];
    const auto free = fact_of<BatchForm>(node).free;
    const bool left_out =
        free == nullptr ? reads(lost_batch_)
                        : free(node, graph_, {fixed_batch_, of_image_.count(first) > 0, lost_batch_.count(first) > 0});
    if (has_effect(node, Effect::Measures)) return;
    if (left_out) lost_batch_.insert(node.outputs.begin(), node.outputs.end());
    if (reads(of_image_)) of_image_.insert(node.outputs.begin(), node.outputs.end());
  }

  const onnx::ModelProto& model_;
  const onnx::GraphProto& source_;
  std::string file_;
  Graph graph_;
  int64_t opset_ = 0, fixed_batch_ = 0;
  bool whole_pixels_ = false;
  std::set<std::string> of_image_, lost_batch_;  // values that `FixedBatch` tells of
};

ImportedModel read(const std::filesystem::path& path, const ImportOptions& options) {
  const std::string bytes = read_file(path);
  onnx::ModelProto model;
  if (!model.ParseFromString(bytes) || !model.has_graph()) {
    throw UserError(fmt::format("{}: is a truncated or damaged ONNX file, or none at all", path.string()));
  }
  try {
    return OnnxReading(model, path.string()).run(options);
  } catch (const UserError& error) {
    const std::string message = error.what();
    if (message.compare(0, path.string().size(), path.string()) == 0) throw;
    throw UserError(fmt::format("{}: {}", path.string(), message));
  } catch (const std::exception& error) {
    throw UserError(fmt::format("{}: is a damaged ONNX file ({})", path.string(), reason_of(error)));
  }
}

/// By its name, or by its first field, which is the version of the format.
bool recognises(const FileProbe& file) {
  if (to_lower(file.path.extension().string()) == ".onnx") return true;
  return file.head.size() > 2 && file.head[0] == '\x08' && file.head[1] > 2 && file.head[1] < 32 &&
         (file.head[2] == '\x12' || file.head[2] == '\x3a' || file.head[2] == '\x42');
}

const Register<ModelFormat> registered{{"onnx", "ONNX", recognises, read}};

}  // namespace

}  // namespace fercli::onnx_format
