#include "models/summary.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "core/escape.hpp"
#include "models/graph/graph.hpp"
#include "models/networks/layers.hpp"
#include "models/networks/network.hpp"

namespace fercli {

std::vector<LayerSummary> layers_as_they_end(Network& network, const NetworkOptions& options) {
  const torch::NoGradGuard no_grad;
  std::unordered_map<const torch::nn::Module*, std::string> names;
  for (const auto& entry : network.named_modules()) names[entry.value().get()] = entry.key();
  const bool was_training = network.is_training();
  network.eval();
  LayerTrace trace;
  network.forward(torch::zeros({1, options.channels, options.size, options.size}));
  network.train(was_training);
  std::vector<LayerSummary> layers;
  for (const auto& record : trace.records) {
    layers.push_back({names.at(record.module), record.kind, record.output, record.parameters, record.flops});
  }
  return layers;
}

std::vector<LayerSummary> summarise(Network& network, const NetworkOptions& options) {
  std::unordered_map<std::string, size_t> places;
  for (const auto& entry : network.named_modules()) places.emplace(entry.key(), places.size());
  auto layers = layers_as_they_end(network, options);
  // As --freeze-until counts them; in which order a block's branches run is the compiler's choice.
  std::stable_sort(layers.begin(), layers.end(),
                   [&](const LayerSummary& a, const LayerSummary& b) { return places.at(a.name) < places.at(b.name); });
  return layers;
}

std::vector<LayerSummary> summarise(const ForeignModel& model) {
  std::vector<LayerSummary> layers;
  const auto* imported = dynamic_cast<const GraphModel*>(&model);
  if (imported == nullptr) return layers;
  const Graph graph = simplify(imported->graph());
  for (const auto& node : graph.nodes) {
    LayerSummary layer{node.name, node.op, {}, 0, 0};
    for (const auto& input : node.inputs) {
      const auto weight = graph.constants.find(input);
      if (weight == graph.constants.end() || !at::isFloatingType(weight->second.scalar_type())) continue;
      layer.parameters += weight->second.numel();
      if (weight->second.dim() > 1) layer.kind += fmt::format(" ({})", fmt::join(weight->second.sizes(), ","));
    }
    layers.push_back(std::move(layer));
  }
  return layers;
}

std::string describe_foreign(const ForeignModel& model) {
  const auto layers = summarise(model);
  if (layers.empty()) return "A TorchScript network that LibTorch's interpreter runs; its operators are not listed.\n";
  std::string text = fmt::format("{:<44} {:<36} {:>12}\n", "Node", "Operator (weights)", "Parameters");
  int64_t parameters = 0;
  for (const auto& layer : layers) {
    text += fmt::format("{:<44} {:<36} {:>12}\n", printable(layer.name), printable(layer.kind), layer.parameters);
    parameters += layer.parameters;
  }
  return text + fmt::format("\nTotal: {} parameters, BatchNorm folded\n", parameters);
}

int64_t parameter_count(const Network& network) {
  int64_t count = 0;
  for (const auto& parameter : network.parameters()) count += parameter.numel();
  return count;
}

std::string describe_architecture(const std::string& arch, const NetworkOptions& options) {
  const auto& entry = Registry<Architecture>::instance().get(arch);
  const auto network = make_network(arch, options, 0);
  std::string text = fmt::format("Architecture {}: {}\n\n{}\n\nInput {}x{}x{}, {} classes", arch, entry.summary,
                                 entry.rationale, options.channels, options.size, options.size, options.classes);
  for (const auto& [name, value] : options.settings) text += fmt::format(", {}={:g}", name, value);
  text += fmt::format("\n\n{:<22} {:<44} {:>12} {:>12} {:>10}\n", "Layer", "Kind", "Output", "Parameters", "MFLOP");
  int64_t flops = 0;
  for (const auto& layer : summarise(*network, options)) {
    text += fmt::format("{:<22} {:<44} {:>12} {:>12} {:>10.2f}\n", layer.name, layer.kind,
                        fmt::format("{}", fmt::join(layer.output, "x")), layer.parameters, layer.flops / 1e6);
    flops += layer.flops;
  }
  return text + fmt::format("\nTotal: {} parameters ({:.2f} MB in 16 bit), {:.1f} MFLOP per image\n",
                            parameter_count(*network), parameter_count(*network) * 2 / 1e6, flops / 1e6);
}

}  // namespace fercli
