#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "models/checkpoint.hpp"
#include "models/graph/graph.hpp"

namespace fercli {

/// Writes the network in float32 with its normalisation: the file takes images (N,C,H,W) of the network's size, pixels
/// in [0,1], any N, and gives logits (N,K). The input is called "input", the output "logits".
///   "torchscript"  for torch.jit.load; a trace, because TorchScript's compiler needs source text and tracing does not
///   "onnx"         opset 13 (later only for operators that need it), BatchNorm folded
///   "safetensors"  the weights by name, and as metadata what a checkpoint says, which `load_model` reads; no graph
/// Throws UserError: another format, an imported network as safetensors, operators that the format lacks.
void export_model(const Checkpoint& checkpoint, const std::string& format, const std::filesystem::path& path);

/// The network's graph, as it was trained, without its normalisation: normalised input to logits. Throws UserError
/// where it does what a graph cannot say.
Graph network_graph(const Checkpoint& checkpoint);

/// shape: (C,H,W) of the input.
void write_onnx(Graph graph, const std::vector<int64_t>& shape, int64_t classes, const std::filesystem::path& path);

}  // namespace fercli
