#include "models/graph/graph.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>
#include <set>
#include <unordered_map>

#include "core/error.hpp"
#include "core/notice.hpp"
#include "core/numbers.hpp"
#include "models/graph/attributes.hpp"
#include "models/graph/operator.hpp"
#include "models/networks/layer_trace.hpp"

namespace fercli {

namespace {

constexpr const char* kGraphKind = "graph";

/// Of all results together, for each image: ten times what VGG16 has at 224x224. Files that ask for more are broken or
/// hostile.
constexpr int64_t kMostElements = int64_t{1} << 27;

bool is_float(const torch::Tensor& tensor) {
  return at::isFloatingType(tensor.scalar_type());
}

/// How often each value is read; the graph's output counts as one more reader.
std::unordered_map<std::string, int64_t> count_readers(const Graph& graph) {
  std::unordered_map<std::string, int64_t> readers;
  for (const auto& node : graph.nodes) {
    for (const auto& input : node.inputs) ++readers[input];
  }
  ++readers[graph.output];
  return readers;
}

/// Lets the readers of a node that does nothing read its input.
void bypass_idle_nodes(Graph& graph) {
  std::unordered_map<std::string, std::string> instead;
  std::vector<GraphNode> kept;
  const auto source = [&](const std::string& name) {
    const auto found = instead.find(name);
    return found == instead.end() ? name : found->second;
  };
  for (auto& node : graph.nodes) {
    for (auto& input : node.inputs) input = source(input);
    if (has_effect(node, Effect::Nothing) && !node.inputs.empty()) {
      instead[node.outputs.at(0)] = node.inputs[0];
    } else {
      kept.push_back(std::move(node));
    }
  }
  graph.nodes = std::move(kept);
  graph.output = source(graph.output);
}

void fold_constants(Graph& graph) {
  std::vector<GraphNode> kept;
  int64_t made = 0;
  for (auto& node : graph.nodes) {
    Tensors inputs;
    bool constant = !node.inputs.empty();
    for (const auto& name : node.inputs) {
      const auto found = graph.constants.find(name);
      constant = constant && (name.empty() || found != graph.constants.end());
      inputs.push_back(found == graph.constants.end() ? torch::Tensor() : found->second);
    }
    if (!constant) {
      kept.push_back(std::move(node));
      continue;
    }
    const auto results = run_node(node, inputs, kMostElements - made);
    for (size_t i = 0; i < results.size() && i < node.outputs.size(); ++i) {
      graph.constants[node.outputs[i]] = results[i];
      made += results[i].numel();
    }
  }
  graph.nodes = std::move(kept);
}

bool has_constants(const Graph& graph, const GraphNode& node, size_t first) {
  return std::all_of(node.inputs.begin() + static_cast<int64_t>(std::min(first, node.inputs.size())), node.inputs.end(),
                     [&](const std::string& name) { return graph.constants.count(name) > 0; });
}

/// Puts a `ChannelScale` into the weights of the layer before it. False, and nothing is done: they are not such a scale
/// and such a layer, or it has not one number for each channel of the weights, or one for all.
bool merge_scale(Graph& graph, GraphNode& layer, const GraphNode& scale) {
  const auto by_channel_of = fact_of<FoldingLayer>(layer).by_channel;
  const auto factors_of = fact_of<ChannelScale>(scale).factors;
  if (by_channel_of == nullptr || factors_of == nullptr) return false;
  const auto weight = graph.constants.at(layer.inputs[1]);
  const auto by_channel = by_channel_of(layer);
  if (weight.dim() != static_cast<int64_t>(by_channel.size())) return false;
  const int64_t channels = weight.size(std::find(by_channel.begin(), by_channel.end(), -1) - by_channel.begin());
  const auto [factor, shift] = factors_of(scale, graph);
  if ((factor.numel() != 1 && factor.numel() != channels) || shift.numel() > channels) return false;
  auto bias = torch::zeros_like(shift);
  if (layer.inputs.size() > 2 && !layer.inputs[2].empty()) {
    bias = graph.constants.at(layer.inputs[2]).to(torch::kFloat64) * layer.attributes.value("beta", 1.0);
  }
  if (find_operator(layer.op)->understands("beta")) layer.attributes["beta"] = 1.0;  // it is in the weights now
  layer.inputs.resize(3);
  layer.inputs[1] = graph.constant(scale.name + ".weight",
                                   (weight.to(torch::kFloat64) * factor.view(by_channel)).to(torch::kFloat32));
  layer.inputs[2] = graph.constant(scale.name + ".bias", (bias * factor + shift).to(torch::kFloat32));
  layer.outputs[0] = scale.outputs[0];
  return true;
}

void fold_scales(Graph& graph) {
  int64_t made = 0;  // by weights that are shared
  const auto readers = count_readers(graph);
  std::unordered_map<std::string, size_t> layers;  // by the value they make
  std::vector<GraphNode> kept;
  for (auto& node : graph.nodes) {
    const auto* entry = find_operator(node.op);
    const bool constant =
        entry != nullptr && node.inputs.size() >= entry->least_inputs && has_constants(graph, node, 1);
    const auto before = node.inputs.empty() ? layers.end() : layers.find(node.inputs[0]);
    if (constant && before != layers.end() && readers.at(node.inputs[0]) == 1 && made < kMostElements &&
        merge_scale(graph, kept[before->second], node)) {
      made += graph.constants.at(kept[before->second].inputs[1]).numel();
      continue;
    }
    if (constant && entry->fact<FoldingLayer>().by_channel != nullptr) layers[node.outputs.at(0)] = kept.size();
    kept.push_back(std::move(node));
  }
  graph.nodes = std::move(kept);
}

/// Dense weights, of what understands transB, as (out, in), as the 1x1 convolution wants them.
void transpose_dense_weights(Graph& graph) {
  std::unordered_map<std::string, std::string> transposed;  // each once, however many nodes share it
  for (auto& node : graph.nodes) {
    const auto* entry = find_operator(node.op);
    if (entry == nullptr || !entry->understands("transB") || node.inputs.size() < 2) continue;
    const auto weight = graph.constants.find(node.inputs[1]);
    if (weight == graph.constants.end() || weight->second.dim() != 2 || whole_attribute(node, "transB", 0) != 0)
      continue;
    auto& name = transposed[node.inputs[1]];
    if (name.empty()) name = graph.constant(node.inputs[1], weight->second.t().contiguous());
    node.inputs[1] = name;
    node.attributes["transB"] = 1;
  }
}

void drop_unread(Graph& graph) {
  std::set<std::string> read{graph.output};
  std::vector<GraphNode> kept;
  for (auto node = graph.nodes.rbegin(); node != graph.nodes.rend(); ++node) {
    const bool wanted = std::any_of(node->outputs.begin(), node->outputs.end(),
                                    [&](const std::string& name) { return read.count(name) > 0; });
    if (!wanted) continue;
    read.insert(node->inputs.begin(), node->inputs.end());
    kept.push_back(std::move(*node));
  }
  graph.nodes.assign(std::make_move_iterator(kept.rbegin()), std::make_move_iterator(kept.rend()));
  for (auto entry = graph.constants.begin(); entry != graph.constants.end();) {
    entry = read.count(entry->first) > 0 ? std::next(entry) : graph.constants.erase(entry);
  }
}

/// Float64 and float16 constants become float32: the arithmetic knows float32 and bfloat16.
void unify_float_types(Graph& graph) {
  for (auto& [name, value] : graph.constants) {
    if (is_float(value)) value = value.to(torch::kFloat32);
  }
}

/// The weights of convolutions are kept in the arithmetic's type, and channels-last; everything else stays float32.
torch::Tensor prepared_constant(const torch::Tensor& value, bool convolution, Precision precision,
                                torch::Device device) {
  if (!is_float(value)) return value;  // shapes and indices stay on the CPU
  auto prepared = value.to(device);
  if (!convolution) return prepared;
  prepared = prepared.to(scalar_type(precision));
  return prepared.dim() == 4 ? prepared.contiguous(torch::MemoryFormat::ChannelsLast) : prepared;
}

/// Of a convolution, straight or transposed, for one image: each weight meets each pixel of the smaller side.
int64_t flops_of(const Tensors& inputs, const torch::Tensor& output) {
  const auto pixels = [](const torch::Tensor& x) { return x.dim() < 3 ? 1 : x.numel() / (x.size(0) * x.size(1)); };
  return 2 * inputs.at(1).numel() * std::min(pixels(inputs.at(0)), pixels(output));
}

/// Steps through the nodes; values live in numbered places.
class GraphExecutor : public AutogradExecutor {
 public:
  GraphExecutor(const Graph& graph, Precision precision, torch::Device device) : nodes_(graph.nodes) {
    input_ = place(graph.input);
    std::set<std::string> convolved;
    for (const auto& node : nodes_) {
      if (has_effect(node, Effect::Convolves)) convolved.insert(node.inputs.begin() + 1, node.inputs.end());
    }
    for (const auto& [name, value] : graph.constants) {
      constants_.emplace_back(place(name), prepared_constant(value, convolved.count(name) > 0, precision, device));
    }
    for (const auto& node : nodes_) {
      Step step;
      for (const auto& name : node.inputs) step.inputs.push_back(name.empty() ? kNone : place(name));
      for (const auto& name : node.outputs) step.outputs.push_back(name.empty() ? kNone : place(name));
      steps_.push_back(std::move(step));
    }
    output_ = place(graph.output);
    plan_release();
  }

  torch::Tensor forward(const torch::Tensor& input) const override {
    Tensors values(places_.size());
    values[input_] = input;
    for (const auto& [place, value] : constants_) values[place] = value;
    const int64_t most = kMostElements * std::max<int64_t>(input.size(0), 1);
    int64_t made = 0;
    for (size_t i = 0; i < nodes_.size(); ++i) {
      Tensors inputs;
      for (const size_t place : steps_[i].inputs) inputs.push_back(place == kNone ? torch::Tensor() : values[place]);
      const auto begun = Clock::now();
      auto results = run_node(nodes_[i], inputs, most - made);
      if (LayerTrace* trace = LayerTrace::active()) {
        const int64_t flops = has_effect(nodes_[i], Effect::Convolves) ? flops_of(inputs, results.at(0)) : 0;
        trace->add({nullptr, nodes_[i].name, nodes_[i].op, {}, 0, flops}, begun, results.at(0));
      }
      for (size_t k = 0; k < results.size() && k < steps_[i].outputs.size(); ++k) {
        made += results[k].numel();
        if (steps_[i].outputs[k] != kNone) values[steps_[i].outputs[k]] = std::move(results[k]);
      }
      if (made > most) OperatorCall(nodes_[i], {}, most).fail("the network's results are larger than any network's");
      for (const size_t place : steps_[i].release) values[place] = torch::Tensor();
    }
    return values[output_];
  }

 private:
  static constexpr size_t kNone = SIZE_MAX;

  struct Step {
    std::vector<size_t> inputs, outputs, release;
  };

  size_t place(const std::string& name) { return places_.emplace(name, places_.size()).first->second; }

  /// Values are let go after their last reader, so that memory without gradients stays small.
  void plan_release() {
    std::vector<size_t> last(places_.size(), kNone);
    for (size_t i = 0; i < steps_.size(); ++i) {
      for (const size_t place : steps_[i].inputs) {
        if (place != kNone) last[place] = i;
      }
    }
    for (size_t place = 0; place < last.size(); ++place) {
      if (last[place] != kNone && place != output_) steps_[last[place]].release.push_back(place);
    }
  }

  std::vector<GraphNode> nodes_;
  std::unordered_map<std::string, size_t> places_;
  std::vector<std::pair<size_t, torch::Tensor>> constants_;
  std::vector<Step> steps_;
  size_t input_ = 0, output_ = 0;
};

constexpr const char *kAboveAll = "inf", *kBelowAll = "-inf";

/// JSON has no infinite numbers, as bounds and pads may be: they are stored as words.
nlohmann::json stored_attributes(nlohmann::json attributes) {
  for (auto& value : attributes) {
    if (value == kInfinity) value = kAboveAll;
    if (value == -kInfinity) value = kBelowAll;
  }
  return attributes;
}

nlohmann::json restored_attributes(nlohmann::json attributes) {
  for (auto& value : attributes) {
    if (value == kAboveAll) value = kInfinity;
    if (value == kBelowAll) value = -kInfinity;
  }
  return attributes;
}

nlohmann::json to_json(const GraphNode& node) {
  return {{"op", node.op},
          {"name", node.name},
          {"inputs", node.inputs},
          {"outputs", node.outputs},
          {"attributes", stored_attributes(node.attributes)}};
}

GraphNode node_from_json(const nlohmann::json& json) {
  return {json.at("op"), json.at("name"), json.at("inputs"), json.at("outputs"),
          restored_attributes(json.at("attributes"))};
}

std::shared_ptr<const ForeignModel> restore(const nlohmann::json& header,
                                            const std::map<std::string, torch::Tensor>& tensors, bool /*trust_code*/) {
  Graph graph;
  for (const auto& node : header.at("nodes")) graph.nodes.push_back(node_from_json(node));
  graph.input = header.at("input");
  graph.output = header.at("output");
  graph.constants = tensors;
  check_graph(graph, "stored graph");
  return std::make_shared<GraphModel>(std::move(graph));
}

const Register<StoredModel> stored{{kGraphKind, restore}};

}  // namespace

std::string Graph::add(const std::string& op, const std::string& name, std::vector<std::string> inputs,
                       nlohmann::json attributes) {
  std::string output = fmt::format("{}:{}", name, nodes.size());
  nodes.push_back({op, name, std::move(inputs), {output}, std::move(attributes)});
  return output;
}

std::string Graph::constant(const std::string& hint, const torch::Tensor& value) {
  const auto numbered = [&](int64_t number) { return number == 0 ? hint : fmt::format("{}#{}", hint, number); };
  const auto taken = [&](int64_t number) { return constants.count(numbered(number)) > 0; };
  // By doubling and halving: a file may have a hundred thousand of one name.
  int64_t used = -1, free = 0;
  while (taken(free)) {
    used = free;
    free = 2 * free + 1;
  }
  while (free - used > 1) {
    const int64_t middle = used + (free - used) / 2;
    (taken(middle) ? used : free) = middle;
  }
  std::string name = numbered(free);
  constants[name] = value;
  return name;
}

namespace {

/// Its attributes and the number of its inputs.
void check_node(const GraphNode& node, const GraphOperator& entry, const std::string& file) {
  const auto fail = [&](const std::string& message) {
    throw UserError(fmt::format("{}: node '{}' ({}): {}", file, node.name, node.op, message));
  };
  for (const auto& [name, value] : node.attributes.items()) {
    if (!entry.understands(name)) fail(fmt::format("its attribute '{}' is not supported", name));
    if (value.is_number_float() && std::isnan(value.get<double>()))
      fail(fmt::format("its attribute '{}' is NaN", name));
  }
  for (size_t i = 0; i < entry.least_inputs; ++i) {
    if (i >= node.inputs.size() || node.inputs[i].empty()) fail(fmt::format("input {} is missing", i + 1));
  }
  if (node.outputs.empty()) fail("it has no output");
}

}  // namespace

void check_graph(const Graph& graph, const std::string& file) {
  std::map<std::string, std::vector<std::string>> unsupported;
  for (const auto& node : graph.nodes) {
    const auto* entry = find_operator(node.op);
    if (entry == nullptr || entry->run == nullptr) unsupported[node.op].push_back(node.name);
  }
  std::vector<std::string> list;
  list.reserve(unsupported.size());
  for (const auto& [op, nodes] : unsupported) list.push_back(fmt::format("{} ({})", op, join(nodes, ", ")));
  if (!list.empty()) {
    throw UserError(fmt::format("{}: operators that are not supported, with their nodes: {}", file, join(list, "; ")));
  }
  for (const auto& node : graph.nodes) check_node(node, *find_operator(node.op), file);
  std::set<std::string> defined{"", graph.input};
  for (const auto& entry : graph.constants) defined.insert(entry.first);
  for (const auto& node : graph.nodes) {
    for (const auto& input : node.inputs) {
      if (defined.count(input) > 0) continue;
      throw UserError(
          fmt::format("{}: node '{}' ({}) reads '{}', which nothing before it makes: the graph has a cycle "
                      "or is incomplete",
                      file, node.name, node.op, input));
    }
    for (const auto& output : node.outputs) {
      if (defined.insert(output).second || output.empty()) continue;
      throw UserError(fmt::format("{}: node '{}' ({}) makes '{}' a second time", file, node.name, node.op, output));
    }
  }
  if (graph.output.empty() || defined.count(graph.output) == 0 || graph.output == graph.input) {
    throw UserError(fmt::format("{}: nothing makes the output '{}'", file, graph.output));
  }
}

namespace {

/// The node that makes a value, or null.
const GraphNode* maker_of(const Graph& graph, const std::string& value) {
  for (const auto& node : graph.nodes) {
    if (std::find(node.outputs.begin(), node.outputs.end(), value) != node.outputs.end()) return &node;
  }
  return nullptr;
}

}  // namespace

const GraphNode* source_of(const Graph& graph, const std::string& value) {
  constexpr int kFarthest = 16;  // real files have two or three such nodes in a row
  const GraphNode* node = maker_of(graph, value);
  const auto same_numbers = [&] {
    return has_effect(*node, Effect::Nothing) || has_effect(*node, Effect::Moves) ||
           has_effect(*node, Effect::Converts);
  };
  for (int i = 0; node != nullptr && same_numbers() && i < kFarthest; ++i) {
    node = maker_of(graph, node->inputs.at(0));
  }
  return node;
}

bool strip_softmax(Graph& graph) {
  bypass_idle_nodes(graph);
  const GraphNode* last = source_of(graph, graph.output);
  if (last == nullptr) return false;
  const auto logits_of = fact_of<SoftmaxEnd>(*last).logits;
  if (logits_of == nullptr) return false;
  const std::string probabilities = last->outputs.at(0), logits = logits_of(*last, graph);
  if (logits.empty()) return false;
  for (auto& node : graph.nodes) std::replace(node.inputs.begin(), node.inputs.end(), probabilities, logits);
  if (graph.output == probabilities) graph.output = logits;
  drop_unread(graph);
  return true;
}

Graph simplify(Graph graph) {
  unify_float_types(graph);
  bypass_idle_nodes(graph);
  fold_constants(graph);
  fold_scales(graph);
  drop_unread(graph);
  return graph;
}

namespace {

const Register<ExecutorEntry> node_by_node{
    {"graph", "imported ones, node by node", 10,
     [](const Model& model, const Execution&) { return dynamic_cast<const GraphModel*>(&model) != nullptr; },
     [](const Model& model, const Execution& execution) -> std::shared_ptr<const Executor> {
       const torch::NoGradGuard no_grad;
       Graph graph = simplify(dynamic_cast<const GraphModel&>(model).graph());
       transpose_dense_weights(graph);
       drop_unread(graph);
       return std::make_shared<GraphExecutor>(graph, execution.precision, execution.device);
     }}};

}  // namespace

void GraphModel::store(nlohmann::json& header, std::map<std::string, torch::Tensor>& tensors) const {
  auto nodes = nlohmann::json::array();
  for (const auto& node : graph_.nodes) nodes.push_back(to_json(node));
  header["nodes"] = nodes;
  header["input"] = graph_.input;
  header["output"] = graph_.output;
  tensors.insert(graph_.constants.begin(), graph_.constants.end());
}

std::string choose_output(const std::vector<std::string>& values, std::vector<std::string> names,
                          const ImportOptions& options, const std::string& file) {
  if (values.empty()) throw UserError(fmt::format("{}: it has no output", file));
  names.resize(values.size());
  std::unordered_map<std::string, int64_t> times;
  for (const auto& name : names) ++times[name];
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i].empty() || times.at(names[i]) > 1) names[i] = fmt::format("{}:{}", names[i], i);
  }
  if (options.output.empty()) {
    if (values.size() > 1) {
      inform(fmt::format("{}: has {} outputs ({}); '{}' is taken, --output NAME takes another", file, values.size(),
                         join(names, ", "), names.front()));
    }
    return values.front();
  }
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i] == options.output) return values[i];
  }
  throw UserError(
      fmt::format("{}: --output {}: must be one of its outputs ({})", file, options.output, join(names, ", ")));
}

ImportedModel import_graph(Graph graph, const std::string& file, const ImportOptions& options) {
  check_graph(graph, file);
  ImportedModel imported;
  for (const auto& node : graph.nodes) imported.rounds = imported.rounds || has_effect(node, Effect::Rounds);
  if (options.strip_softmax) {
    Graph whole = graph;
    if (strip_softmax(graph)) imported.with_softmax = std::make_shared<GraphModel>(std::move(whole));
    check_graph(graph, file);
  }
  imported.model = std::make_shared<GraphModel>(std::move(graph));
  return imported;
}

}  // namespace fercli
