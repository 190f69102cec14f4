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

/// Where ONNX has an attribute.
enum AttributePlace {
  kAttribute,
  kReal,    ///< an attribute that is a real number, also where it is a whole one
  kInput,   ///< an input since opset 13; such attributes come in the order of the inputs, from the second on
  kLeftOut  ///< nowhere: it is read at its default alone, so that nothing is lost without it
};

/// An attribute that an operator understands.
struct OperatorAttribute {
  std::string name;
  AttributePlace place;

  OperatorAttribute(const char* its_name, AttributePlace its_place = kAttribute) : name(its_name), place(its_place) {}
};

class OnnxDraft;

/// Where ONNX files say something else than nodes of a graph do.
struct OnnxForm {
  /// Writes the node into the draft; null: as it is, but for the places of its attributes.
  void (*write)(GraphNode node, OnnxDraft& draft) = nullptr;

  /// Turns a node of a file of this opset into what it means here. Nodes that belong before it go to the end of the
  /// graph. Throws UserError. Null: it means the same.
  void (*read)(GraphNode& node, Graph& graph, int64_t opset) = nullptr;

  /// The first opset that has the node in the form it is written in; null: older than all that are written.
  int64_t (*opset)(const GraphNode& node) = nullptr;
};

/// For `OnnxForm::opset`.
template <int64_t opset>
int64_t since(const GraphNode& /*node*/) {
  return opset;
}

/// What an operator does, for those who look at whole graphs.
enum class Effect {
  Computes,
  Nothing,    ///< its first input is its output
  Moves,      ///< its output has the numbers of its first input, in another shape or type
  Measures,   ///< its output depends on the shape of its input alone
  Convolves,  ///< its further inputs are weights in the type of the arithmetic
  Rounds      ///< to 8-bit numbers
};

/// One operator, with all that is known of it: adding one is one entry in an operators file.
struct GraphOperator {
  static constexpr const char* kKind = "operator";
  std::string name;
  Tensors (*run)(const OperatorCall& call);        ///< null: `onnx.read` spells it out by others
  std::vector<OperatorAttribute> attributes = {};  ///< a graph with others is refused
  size_t least_inputs = 1;
  OnnxForm onnx = {};
  Effect effect = Effect::Computes;
};

/// The entry, or null.
inline const GraphOperator* find_operator(const std::string& name) {
  return Registry<GraphOperator>::instance().find(name);
}

/// Runs one node, and says which one it was when that fails. Throws UserError.
Tensors run_node(const GraphNode& node, Tensors inputs, int64_t most_elements);

/// For arithmetic in float32 whatever comes: only float64, in which bounds are computed, stays as it is.
inline torch::Tensor at_least_float32(const torch::Tensor& x) {
  return x.scalar_type() == torch::kFloat64 ? x : x.to(torch::kFloat32);
}

/// Whether an operator that is known has this effect.
bool has_effect(const GraphNode& node, Effect effect);

[[noreturn]] void refuse_training(const GraphNode& node);  ///< UserError

/// Registers a table of operators.
struct RegisterOperators {
  RegisterOperators(std::initializer_list<GraphOperator> operators) {
    for (const auto& entry : operators) Registry<GraphOperator>::instance().add(entry);
  }
};

}  // namespace fercli
