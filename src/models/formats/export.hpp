#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/registry.hpp"
#include "models/checkpoint.hpp"
#include "models/graph/graph.hpp"

namespace fercli {

/// One way of writing a network in float32 for other programs, with its normalisation where it is more than weights:
/// such a file takes images (N,C,H,W) of the network's size, pixels in [0,1], any N, and gives logits (N,K). The input
/// is called "input", the output "logits".
struct ModelWriter {
  static constexpr const char* kKind = "export format";
  std::string name;     ///< of the ModelFormat too that reads it back, if one does
  std::string summary;  ///< "holds weights only"
  /// Throws UserError: a network that the format cannot hold.
  void (*write)(const Checkpoint& checkpoint, const std::filesystem::path& path);
};

/// Writes with the ModelWriter of this name. Throws as it does, and UserError on an unknown one.
void export_model(const Checkpoint& checkpoint, const std::string& format, const std::filesystem::path& path);

/// The network's graph, as it was trained, without its normalisation: normalised input to logits. Throws UserError
/// where it does what a graph cannot say.
Graph network_graph(const Checkpoint& checkpoint);

/// In opset 13, later only for operators that need it. shape: (C,H,W) of the input.
void write_onnx(Graph graph, const std::vector<int64_t>& shape, int64_t classes, const std::filesystem::path& path);

}  // namespace fercli
