#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/registry.hpp"
#include "models/graph/graph.hpp"

namespace fercli {

/// A value with the shape Keras gives it, without the batch. In the graph it lies as in Keras; but values of three axes
/// may be turned: of shape (a,b,c) in Keras, they then lie as (N,c,a,b), as images whose channels are their last axis
/// do.
struct KerasValue {
  std::string name;
  std::vector<int64_t> shape;
  bool turned = false;

  bool is_image() const { return shape.size() == 3; }
};

/// An image with its axes by meaning. It lies in the graph as (N,C,H,W).
struct KerasImage {
  std::string name;
  std::vector<int64_t> sides;  ///< height and width
  int64_t channels = 0;
  bool channels_first = false;  ///< in Keras' shape

  KerasValue value() const;
};

/// The weights of one layer.
class KerasWeights {
 public:
  virtual ~KerasWeights() = default;

  /// By name ("kernel") where the file has names, else by its place among the layer's weights.
  virtual std::optional<torch::Tensor> find(const std::string& name, int64_t place) const = 0;
};

/// One use of a layer, for the function that puts it into the graph. Settings are read through its functions, which
/// note what was read: a setting that nothing read must be without effect, or the layer is refused.
struct KerasCall {
  std::string layer;  ///< its name
  const nlohmann::json& config;
  std::vector<KerasValue> inputs;
  const KerasWeights& weights;
  Graph& graph;
  bool keras3 = false;
  int64_t taken = 0;                        ///< weights asked for so far
  mutable std::set<std::string> read = {};  ///< settings asked for so far

  const KerasValue& input() const;  ///< the only one
  KerasImage image();               ///< the only one, as its data_format says

  /// The next one; they are asked for in Keras' order. Throws UserError when it is missing.
  torch::Tensor weight(const std::string& name, const std::string& other_name = "");

  nlohmann::json setting(const char* key) const;  ///< null: not given
  bool flag(const char* key, bool otherwise) const;
  int64_t whole(const char* key, const nlohmann::json& value) const;  ///< a number in it, within limits
  int64_t integer(const char* key, int64_t otherwise) const;
  double number(const char* key, double otherwise) const;
  std::string choice(const char* key, const std::vector<std::string>& allowed) const;  ///< the first when not given
  std::vector<int64_t> pair(const char* key, std::vector<int64_t> otherwise) const;  ///< a number, or one for each side

  /// Throws UserError that names a setting which nothing read and which could have an effect.
  void check_settings() const;

  /// Adds an operator. `shape` is the result's.
  KerasValue add(const std::string& op, std::vector<std::string> inputs, std::vector<int64_t> shape,
                 nlohmann::json attributes = nlohmann::json::object());
  /// The same for one that works on each number of `x`, whose shape and place its result has.
  KerasValue map(const std::string& op, const KerasValue& x, const std::vector<std::string>& more = {},
                 nlohmann::json attributes = nlohmann::json::object());
  std::string constant(const std::string& name, const torch::Tensor& value);

  KerasValue activate(KerasValue value, const nlohmann::json& activation);  ///< "relu", a layer, or null
  KerasValue plain(KerasValue value);                                       ///< as in Keras
  KerasValue turned(KerasValue value);                                      ///< the last of three axes first

  [[noreturn]] void fail(const std::string& message) const;
};

/// One layer class of Keras: adding one is one entry in the table of keras_layers.cpp.
struct KerasLayer {
  static constexpr const char* kKind = "Keras layer";
  std::string name;
  KerasValue (*lower)(KerasCall& call);
  bool training_only = false;  ///< none of its settings matters here
};

/// Puts one use of a layer into the graph, and throws UserError for settings that it would ignore.
KerasValue lower_layer(const std::string& class_name, KerasCall& call);

}  // namespace fercli
