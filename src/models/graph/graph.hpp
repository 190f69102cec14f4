#pragma once

#include <torch/types.h>

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "models/graph/foreign_model.hpp"

namespace fercli {

/// One operation of an imported network. Operators, their inputs and attributes are ONNX's, of opset 17; images are
/// (N,C,H,W). Attributes are numbers, words and lists of numbers.
struct GraphNode {
  std::string op;                    ///< "Conv"
  std::string name;                  ///< for messages
  std::vector<std::string> inputs;   ///< names of values; "" where an optional input is left out
  std::vector<std::string> outputs;  ///< names of values
  nlohmann::json attributes = nlohmann::json::object();
};

/// An imported network.
struct Graph {
  std::vector<GraphNode> nodes;  ///< each after the nodes whose outputs it reads
  std::map<std::string, torch::Tensor> constants;
  std::string input, output;  ///< the image (N,C,H,W), the logits (N,K)

  /// Appends a node with a single output. Returns the output's name.
  std::string add(const std::string& op, const std::string& name, std::vector<std::string> inputs,
                  nlohmann::json attributes = nlohmann::json::object());

  /// Adds a constant under a name like `hint`. Returns the name.
  std::string constant(const std::string& hint, const torch::Tensor& value);
};

/// Throws UserError with `file` in front: unsupported operators (all of them, with their nodes), attributes that an
/// operator does not know, a value that is read
/// before anything defines it (a cycle), or defined twice, no output.
void check_graph(const Graph& graph, const std::string& file);

/// Leaves a softmax at the output out, also where nodes that only reshape follow it, or where it is spelt as exp, sum
/// and division; true when there was one. Whether softmax of what is left is what was there is for the caller to try.
bool strip_softmax(Graph& graph);

/// The node whose numbers a value holds, past nodes that only shape or convert them; null: none makes it.
const GraphNode* source_of(const Graph& graph, const std::string& value);

/// One of a file's outputs: `options.output` by its name, else the first, and says so where there are more. `names`
/// are those of `values`; empty ones and names that occur twice get their number. Throws UserError.
std::string choose_output(const std::vector<std::string>& values, std::vector<std::string> names,
                          const ImportOptions& options, const std::string& file);

/// Folds BatchNorm into the convolution or dense layer before it, and nodes of constants into constants; nodes that do
/// nothing or that nobody reads are left out.
Graph simplify(Graph graph);

/// A graph that runs as differentiable LibTorch operations, in float32 and bfloat16 (dense layers stay float32).
class GraphModel : public ForeignModel {
 public:
  explicit GraphModel(Graph graph) : graph_(std::move(graph)) {}

  std::string kind() const override { return "graph"; }
  void store(nlohmann::json& header, std::map<std::string, torch::Tensor>& tensors) const override;

  const Graph& graph() const { return graph_; }

 private:
  Graph graph_;
};

/// Checks the graph, leaves a softmax at its end out, and makes a model of it.
ImportedModel import_graph(Graph graph, const std::string& file, const ImportOptions& options);

}  // namespace fercli
