#pragma once

#include <torch/types.h>

#include <string>
#include <vector>

#include "core/registry.hpp"
#include "models/graph/graph.hpp"

namespace fercli {

using Tensors = std::vector<torch::Tensor>;

/// What an operator sees of its node: inputs and attributes.
class OperatorCall {
 public:
  /// `most_elements`: what any one result may have.
  OperatorCall(const GraphNode& node, Tensors inputs, int64_t most_elements)
      : node_(node), inputs_(std::move(inputs)), most_elements_(most_elements) {}

  const torch::Tensor& operator[](size_t i) const;  ///< throws UserError when it is left out
  bool has(size_t i) const { return i < inputs_.size() && inputs_[i].defined(); }
  size_t size() const { return inputs_.size(); }
  const Tensors& inputs() const { return inputs_; }
  int64_t outputs() const { return static_cast<int64_t>(node_.outputs.size()); }

  bool given(const char* attribute) const { return node_.attributes.contains(attribute); }
  int64_t integer(const char* attribute, int64_t otherwise) const;
  double number(const char* attribute, double otherwise) const;
  std::string word(const char* attribute, const std::string& otherwise) const;
  std::vector<int64_t> integers(const char* attribute, std::vector<int64_t> otherwise) const;

  /// The integers of an input tensor, else of an attribute: where they are depends on the opset.
  std::vector<int64_t> integers(size_t input, const char* attribute, std::vector<int64_t> otherwise) const;

  /// Call it before making anything that can be larger than the inputs. Throws UserError on a size no network has.
  void allow(torch::IntArrayRef shape) const;

  /// The shape that two values have together, by numpy's rules; it is allowed (above) too. Throws UserError where they
  /// do not fit.
  std::vector<int64_t> broadcast(torch::IntArrayRef a, torch::IntArrayRef b) const;

  /// An axis of a value with `dim` axes, counted from the front; -1 is the last. Throws UserError outside of them.
  int64_t axis(int64_t given, int64_t dim) const;

  [[noreturn]] void fail(const std::string& message) const;  ///< UserError that names the node

 private:
  const GraphNode& node_;
  Tensors inputs_;
  int64_t most_elements_;
};

/// One operator: adding one is one entry in the table of the graph_operators file it belongs to.
struct GraphOperator {
  static constexpr const char* kKind = "operator";
  std::string name;
  Tensors (*run)(const OperatorCall& call);
  std::vector<std::string> attributes = {};  ///< those it understands; a graph with others is refused
};

/// Registers a table of operators.
struct RegisterOperators {
  RegisterOperators(std::initializer_list<GraphOperator> operators) {
    for (const auto& entry : operators) Registry<GraphOperator>::instance().add(entry);
  }
};

}  // namespace fercli
