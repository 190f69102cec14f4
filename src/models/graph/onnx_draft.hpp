#pragma once

#include "models/graph/operator.hpp"

namespace fercli {

/// A graph on its way into an ONNX file: every node in ONNX's own words, all of one opset.
class OnnxDraft {
 public:
  /// `image`: the sides (C,H,W) of the graph's input. Throws UserError on what cannot be said in ONNX.
  OnnxDraft(Graph graph, std::vector<int64_t> image);

  int64_t opset() const { return opset_; }
  const std::vector<GraphNode>& nodes() const { return nodes_; }
  const std::map<std::string, torch::Tensor>& constants() const { return graph_.constants; }

  // By these an operator writes itself. `node` is the one that is written; what is made on the way is named after it.

  /// One step on the way. Returns the value that it makes.
  std::string add(const GraphNode& node, const std::string& op, std::vector<std::string> inputs,
                  nlohmann::json attributes = nlohmann::json::object());

  /// The last step, which makes what the node makes.
  void finish(const GraphNode& node, const std::string& op, std::vector<std::string> inputs,
              nlohmann::json attributes = nlohmann::json::object());

  void keep(GraphNode node);  ///< under its name, with its attributes

  std::string scalar(float value);
  std::string whole(const std::vector<int64_t>& values);
  std::string constant(const std::string& hint, const torch::Tensor& value) { return graph_.constant(hint, value); }
  const torch::Tensor* find_constant(const std::string& value) const;

  /// The constant, flat. Throws UserError that names `what` when it is none.
  torch::Tensor constant_input(const GraphNode& node, size_t input, const char* what) const;

  /// The sides of a value for a batch of one.
  std::vector<int64_t> sides_of(const std::string& value) const;

 private:
  void write(GraphNode node);

  Graph graph_;  // as it was
  std::vector<int64_t> image_;
  std::vector<GraphNode> nodes_;  // written
  int64_t opset_;
};

}  // namespace fercli
