#include "models/formats/export.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "core/error.hpp"
#include "core/files.hpp"
#include "models/files/state_dict.hpp"
#include "models/formats/torch/trace.hpp"
#include "models/graph/foreign_model.hpp"
#include "models/networks/network.hpp"
#include "models/networks/network_model.hpp"

namespace fercli {

namespace {

/// The network without conversions for speed, so that the file says what was trained.
std::shared_ptr<const Executor> plain_executor(const Checkpoint& checkpoint) {
  if (checkpoint.foreign) return checkpoint.foreign->executor();
  const NetworkModel model(checkpoint.network, checkpoint.arch, checkpoint.options);
  return model.executor({Precision::Float32, torch::kCPU, "plain"});
}

std::vector<int64_t> input_shape(const Checkpoint& checkpoint) {
  const auto& input = checkpoint.preprocessing;
  return {input.channels, input.size, input.columns()};
}

Trace trace_of(const Checkpoint& checkpoint) {
  // Outside of the trace, which would write their making down.
  const auto mean = per_channel(checkpoint.preprocessing.mean), std = per_channel(checkpoint.preprocessing.std);
  const auto network = plain_executor(checkpoint);
  return Trace([=](const torch::Tensor& x) { return network->logits((x - mean) / std); }, input_shape(checkpoint));
}

/// The network's graph, behind its normalisation.
Graph graph_of(const Checkpoint& checkpoint) {
  const auto* imported = dynamic_cast<const GraphModel*>(checkpoint.foreign.get());
  if (imported == nullptr) return trace_of(checkpoint).graph();
  Graph graph = imported->graph();
  const auto channels = [&](const std::vector<double>& values) {
    return graph.constant("normalisation", per_channel(values));
  };
  const std::string pixels = "pixels", centred = "pixels/centred";
  const std::vector<GraphNode> front = {
      {"Sub", "centre", {pixels, channels(checkpoint.preprocessing.mean)}, {centred}},
      {"Div", "scale", {centred, channels(checkpoint.preprocessing.std)}, {graph.input}}};
  graph.nodes.insert(graph.nodes.begin(), front.begin(), front.end());
  graph.input = pixels;
  return graph;
}

void export_safetensors(const Checkpoint& checkpoint, const std::filesystem::path& path) {
  if (!checkpoint.network) {
    throw UserError(
        "safetensors holds weights for a known architecture; export an imported network as onnx or torchscript");
  }
  StateDict tensors;
  for (const auto& entry : checkpoint.network->named_parameters()) tensors[entry.key()] = entry.value();
  for (const auto& entry : checkpoint.network->named_buffers()) tensors[entry.key()] = entry.value();
  const auto& input = checkpoint.preprocessing;
  std::map<std::string, std::string> metadata{
      {"arch", checkpoint.arch},
      {"settings", nlohmann::json(checkpoint.options.settings).dump()},
      {"classes", join(checkpoint.classes.names(), ",")},
      {"input", fmt::format("{}x{}x{}", input.size, input.columns(), input.channels)},
      {"mean", fmt::format("{}", fmt::join(input.mean, ","))},
      {"std", fmt::format("{}", fmt::join(input.std, ","))}};
  if (input.crop_from > 0) metadata["crop_from"] = std::to_string(input.crop_from);
  write_safetensors(tensors, metadata, path);
}

}  // namespace

void export_model(const Checkpoint& checkpoint, const std::string& format, const std::filesystem::path& path) {
  if (format == "safetensors") return export_safetensors(checkpoint, path);
  if (format == "torchscript") return trace_of(checkpoint).save_torchscript(path);
  if (format != "onnx") throw UserError(fmt::format("--format {}: must be torchscript, onnx or safetensors", format));
  write_onnx(simplify(graph_of(checkpoint)), input_shape(checkpoint), checkpoint.classes.size(), path);
}

Graph network_graph(const Checkpoint& checkpoint) {
  const auto* imported = dynamic_cast<const GraphModel*>(checkpoint.foreign.get());
  if (imported != nullptr) return imported->graph();
  const auto network = plain_executor(checkpoint);
  return Trace([=](const torch::Tensor& x) { return network->logits(x); }, input_shape(checkpoint)).graph();
}

}  // namespace fercli
