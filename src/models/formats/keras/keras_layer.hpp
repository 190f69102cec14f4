#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/registry.hpp"
#include "models/graph/graph.hpp"

namespace fercli {

/// A value with the shape Keras gives it, without the batch. Images, of shape (H,W,C) in Keras, lie in the graph as
/// (N,C,H,W); all other values as in Keras.
struct KerasValue {
  std::string name;
  std::vector<int64_t> shape;

  bool is_image() const { return shape.size() == 3; }
  int64_t channels() const { return shape.empty() ? 0 : shape.back(); }
};

/// The weights of one layer.
class KerasWeights {
 public:
  virtual ~KerasWeights() = default;

  /// By name ("kernel") where the file has names, else by its place among the layer's weights.
  virtual std::optional<torch::Tensor> find(const std::string& name, int64_t place) const = 0;
};

/// One use of a layer, for the function that puts it into the graph.
struct KerasCall {
  std::string layer;  ///< its name
  const nlohmann::json& config;
  std::vector<KerasValue> inputs;
  const KerasWeights& weights;
  Graph& graph;
  bool keras3 = false;
  int64_t taken = 0;  ///< weights asked for so far

  const KerasValue& input() const;  ///< the only one

  /// The next one; they are asked for in Keras' order. Throws UserError when it is missing.
  torch::Tensor weight(const std::string& name, const std::string& other_name = "");

  bool flag(const char* key, bool otherwise) const;
  int64_t integer(const char* key, int64_t otherwise) const;
  double number(const char* key, double otherwise) const;  ///< null counts as not given
  std::string word(const char* key, const std::string& otherwise) const;
  std::vector<int64_t> pair(const char* key, std::vector<int64_t> otherwise) const;  ///< a number, or one for each side

  /// Adds an operator. `shape` is the result's.
  KerasValue add(const std::string& op, std::vector<std::string> inputs, std::vector<int64_t> shape,
                 nlohmann::json attributes = nlohmann::json::object());
  std::string constant(const std::string& name, const torch::Tensor& value);

  KerasValue activate(KerasValue value, const nlohmann::json& activation);  ///< "relu", or null
  KerasValue in_keras_order(KerasValue value);                              ///< images turned to (N,H,W,C)
  KerasValue from_keras_order(KerasValue value);                            ///< and back

  [[noreturn]] void fail(const std::string& message) const;
};

/// One layer class of Keras: adding one is one entry in the table of keras_layers.cpp.
struct KerasLayer {
  static constexpr const char* kKind = "Keras layer";
  std::string name;
  KerasValue (*lower)(KerasCall& call);
};

}  // namespace fercli
