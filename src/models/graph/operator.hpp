#pragma once

#include <torch/types.h>

#include <string>
#include <tuple>
#include <utility>
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

  /// Pads, cut off where they are negative, of more than any image has. Throws UserError.
  void allow_pads(torch::IntArrayRef pads) const;

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
  Moves,      ///< its output has the numbers of its first input, in another shape
  Converts,   ///< its output has the numbers of its first input, in another type
  Chooses,    ///< its output has numbers of its first input, or of all its inputs, as they are
  Measures,   ///< its output depends on the shape of its input alone
  Convolves,  ///< its further inputs are weights in the type of the arithmetic
  Rounds      ///< to 8-bit numbers
};

/// How results that depend on the image are bounded (linf_bounds.hpp).
enum class BoundRule {
  None,      ///< not at all
  Weighted,  ///< linear, with weights of either sign
  Rising,    ///< linear, with weights of at least 0
  Moving,    ///< the same without any arithmetic; so are Effect::Nothing and Effect::Moves, which need no rule
  Relu,
  Largest,  ///< maxima in windows
  Monotone  ///< rising where no attribute "alpha" or "gamma" is below 0, and not linear
};

/// Which inputs may depend on the image where results are bounded.
enum class Varying { First, One, Any };

/// Of what is linear: how many terms one number of the result adds up. Null: a few.
struct Terms {
  int64_t (*count)(const GraphNode& node, const Tensors& inputs, const torch::Tensor& result) = nullptr;
};

/// For means and sums over axes.
int64_t reduced_numbers(const GraphNode& node, const Tensors& inputs, const torch::Tensor& result);

/// Of what is linear: makes of a node, whose constants are magnitudes already, the one that does the same with
/// magnitudes: no weight, and nothing that is added, is below 0. Null: it is that one.
struct Magnitudes {
  void (*take)(GraphNode& node, Tensors& inputs) = nullptr;
};

/// Of a layer whose weights (input 1) and bias (input 2) can take over a `ChannelScale` behind it: the shape of one
/// number for each channel beside the weights.
struct FoldingLayer {
  std::vector<int64_t> (*by_channel)(const GraphNode& node) = nullptr;
};

/// What an operator whose inputs but the first are constants does to each channel: factor and addend, in float64.
struct ChannelScale {
  std::pair<torch::Tensor, torch::Tensor> (*factors)(const GraphNode& node, const Graph& graph) = nullptr;
};

/// Where the node ends a softmax, whole or spelt out: the value whose softmax it makes; else "".
struct SoftmaxEnd {
  std::string (*logits)(const GraphNode& node, const Graph& graph) = nullptr;
};

/// What is known about the first input of a node, in a file that is made for one batch size.
struct FixedBatch {
  int64_t size;
  bool of_image;  ///< it comes from the only image of a batch, and the file may leave the axis of the batch out
  bool left_out;  ///< the file has left that axis out; here it stays
};

/// In such a file: makes the node one for any batch. Returns whether the file has left the axis of the batch out of the
/// result; null: where it has of an input.
struct BatchForm {
  bool (*free)(GraphNode& node, Graph& graph, const FixedBatch& batch) = nullptr;
};

/// One operator, with all that is known of it: adding one is one entry in an operators file.
struct GraphOperator {
  static constexpr const char* kKind = "operator";
  using Run = Tensors (*)(const OperatorCall& call);

  /// `facts`: what else there is to say, in any order; each is of one of the types of `facts_`.
  template <class... Facts>
  GraphOperator(std::string its_name, Run its_run, std::vector<OperatorAttribute> its_attributes = {},
                size_t its_least_inputs = 1, const Facts&... facts)
      : name(std::move(its_name)), run(its_run), attributes(std::move(its_attributes)), least_inputs(its_least_inputs) {
    ((std::get<Facts>(facts_) = facts), ...);
  }

  template <class Fact>
  const Fact& fact() const {
    return std::get<Fact>(facts_);
  }

  bool understands(const std::string& attribute) const;

  std::string name;
  Run run;                                    ///< null: `OnnxForm::read` spells it out by others
  std::vector<OperatorAttribute> attributes;  ///< a graph with others is refused
  size_t least_inputs;

 private:
  std::tuple<OnnxForm, BatchForm, Effect, BoundRule, Varying, Terms, Magnitudes, FoldingLayer, ChannelScale, SoftmaxEnd>
      facts_{};
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

/// A fact of the node's operator; of one that is unknown nothing is.
template <class Fact>
Fact fact_of(const GraphNode& node) {
  const auto* entry = find_operator(node.op);
  return entry == nullptr ? Fact{} : entry->template fact<Fact>();
}

inline bool has_effect(const GraphNode& node, Effect effect) {
  return fact_of<Effect>(node) == effect;
}

[[noreturn]] void refuse_training(const GraphNode& node);  ///< UserError

/// Registers a table of operators.
struct RegisterOperators {
  RegisterOperators(std::initializer_list<GraphOperator> operators) {
    for (const auto& entry : operators) Registry<GraphOperator>::instance().add(entry);
  }
};

}  // namespace fercli
