#include "models/graph/onnx_draft.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "core/error.hpp"
#include "models/graph/attributes.hpp"

namespace fercli {

namespace {

constexpr int64_t kUsualOpset = 13;  // what readers of 2021 and later know

void trim_inputs(GraphNode& node) {
  while (!node.inputs.empty() && node.inputs.back().empty()) node.inputs.pop_back();
}

}  // namespace

OnnxDraft::OnnxDraft(Graph graph, std::vector<int64_t> image)
    : graph_(std::move(graph)), image_(std::move(image)), opset_(kUsualOpset) {
  for (auto& node : graph_.nodes) {
    trim_inputs(node);
    if (const auto opset_of = fact_of<OnnxForm>(node).opset) opset_ = std::max(opset_, opset_of(node));
  }
  for (const auto& node : graph_.nodes) write(node);
}

/// Attributes go where the opset has them, before the operator has its say.
void OnnxDraft::write(GraphNode node) {
  const auto& entry = Registry<GraphOperator>::instance().get(node.op);
  size_t input = 0;
  for (const auto& attribute : entry.attributes) {
    if (attribute.place == kInput) ++input;
    if (!node.attributes.contains(attribute.name)) continue;
    auto& value = node.attributes[attribute.name];
    if (attribute.place == kReal && value.is_number()) value = value.get<double>();
    if (attribute.place == kInput) {
      node.inputs.resize(std::max(node.inputs.size(), input + 1));
      node.inputs[input] =
          value.is_array() ? whole(whole_attributes(node, attribute.name, {})) : scalar(value.get<float>());
    }
    const bool stays = attribute.place == kAttribute || attribute.place == kReal;
    if (!stays) node.attributes.erase(attribute.name);
  }
  const auto write = entry.fact<OnnxForm>().write;
  write == nullptr ? keep(std::move(node)) : write(std::move(node), *this);
}

std::string OnnxDraft::add(const GraphNode& node, const std::string& op, std::vector<std::string> inputs,
                           nlohmann::json attributes) {
  // No value of the graph begins with "w:".
  std::string output = fmt::format("w:{}/{}{}", node.outputs.at(0), op, nodes_.size());
  nodes_.push_back({op, node.name + "/" + op, std::move(inputs), {output}, std::move(attributes)});
  return output;
}

void OnnxDraft::finish(const GraphNode& node, const std::string& op, std::vector<std::string> inputs,
                       nlohmann::json attributes) {
  add(node, op, std::move(inputs), std::move(attributes));
  nodes_.back().outputs = node.outputs;
}

void OnnxDraft::keep(GraphNode node) {
  trim_inputs(node);
  nodes_.push_back(std::move(node));
}

std::string OnnxDraft::scalar(float value) {
  return constant("scalar", torch::tensor(value));
}

std::string OnnxDraft::whole(const std::vector<int64_t>& values) {
  return constant("whole", torch::tensor(values, torch::kInt64));
}

const torch::Tensor* OnnxDraft::find_constant(const std::string& value) const {
  const auto found = graph_.constants.find(value);
  return found == graph_.constants.end() ? nullptr : &found->second;
}

torch::Tensor OnnxDraft::constant_input(const GraphNode& node, size_t input, const char* what) const {
  if (const auto* value = find_constant(node.inputs.at(input))) return value->flatten().contiguous();
  throw UserError(
      fmt::format("node '{}' ({}): {} that are computed cannot be written to ONNX", node.name, node.op, what));
}

std::vector<int64_t> OnnxDraft::sides_of(const std::string& value) const {
  std::vector<int64_t> sides{1};
  sides.insert(sides.end(), image_.begin(), image_.end());
  Graph graph = graph_;
  graph.output = value;
  return GraphModel(std::move(graph)).executor()->logits(torch::zeros(sides)).sizes().vec();
}

}  // namespace fercli
