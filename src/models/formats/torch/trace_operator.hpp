#pragma once

#include <torch/csrc/jit/ir/ir.h>

#include <string>
#include <unordered_map>
#include <vector>

#include "core/registry.hpp"
#include "models/graph/graph.hpp"

namespace fercli {

/// Traces run with this many images, a number that no network uses for anything else: where it stands first in a shape,
/// the batch is meant.
constexpr int64_t kTracedBatch = 11;

/// One recorded LibTorch operation, for the function that puts it into a graph.
class TraceCall {
 public:
  using Values = std::unordered_map<const torch::jit::Value*, std::string>;

  TraceCall(const torch::jit::Node& node, Graph& graph, Values& values) : node_(node), graph_(graph), values_(values) {}

  size_t size() const { return node_.inputs().size(); }
  std::string value(size_t i) const;                ///< the name of a tensor, "" for none
  std::vector<std::string> values(size_t i) const;  ///< of a list of tensors
  c10::IValue constant(size_t i) const;             ///< throws UserError when it is computed
  bool is_none(size_t i) const;
  int64_t integer(size_t i) const { return constant(i).toInt(); }
  double number(size_t i) const { return constant(i).toScalar().toDouble(); }
  bool flag(size_t i) const { return constant(i).toBool(); }
  std::string word(size_t i) const { return constant(i).toStringRef(); }
  std::vector<int64_t> integers(size_t i) const;
  std::vector<int64_t> pair(size_t i) const;         ///< one number stands for both sides
  std::vector<int64_t> input_sizes(size_t i) const;  ///< of the run that was traced
  torch::Tensor tensor(size_t i) const;              ///< a weight

  std::string add_constant(const torch::Tensor& value) { return graph_.constant("constant", value); }
  std::string add(const std::string& op, std::vector<std::string> inputs,
                  nlohmann::json attributes = nlohmann::json::object());
  /// A tensor, or a number as a constant.
  std::string operand(size_t i);

  /// Shapes with the traced batch in front get -1 or 0 there.
  std::vector<int64_t> free_batch(std::vector<int64_t> shape) const;

  [[noreturn]] void fail(const std::string& message) const;

 private:
  const torch::jit::Node& node_;
  Graph& graph_;
  Values& values_;
};

/// One LibTorch operator in operators of the graph: adding one is one entry in the table of trace_operators.cpp.
struct TraceOperator {
  static constexpr const char* kKind = "LibTorch operator";
  std::string name;
  std::string (*lower)(TraceCall& call);
};

}  // namespace fercli
