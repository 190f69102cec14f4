#include "models/formats/export.hpp"

#include <ATen/ATen.h>

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

const Register<ModelWriter> onnx_files{{"onnx", "takes (N,C,H,W) pixels in [0,1] and gives logits",
                                        [](const Checkpoint& checkpoint, const std::filesystem::path& path) {
                                          write_onnx(simplify(graph_of(checkpoint)), input_shape(checkpoint),
                                                     checkpoint.classes.size(), path);
                                        }}};

/// A trace, because TorchScript's compiler needs source text and tracing does not.
const Register<ModelWriter> torchscript_files{{"torchscript", "takes and gives what onnx does",
                                               [](const Checkpoint& checkpoint, const std::filesystem::path& path) {
                                                 trace_of(checkpoint).save_torchscript(path);
                                               }}};

}  // namespace

void export_model(const Checkpoint& checkpoint, const std::string& format, const std::filesystem::path& path) {
  Registry<ModelWriter>::instance().get(format).write(checkpoint, path);
}

Graph network_graph(const Checkpoint& checkpoint) {
  const auto* imported = dynamic_cast<const GraphModel*>(checkpoint.foreign.get());
  if (imported != nullptr) return imported->graph();
  const auto network = plain_executor(checkpoint);
  return Trace([=](const torch::Tensor& x) { return network->logits(x); }, input_shape(checkpoint)).graph();
}

}  // namespace fercli
