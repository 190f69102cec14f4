#pragma once

#include <string>
#include <vector>

#include "models/networks/architecture.hpp"

namespace fercli {

/// One row of the architecture table.
struct LayerSummary {
  std::string name;             ///< "stage1_1.first"
  std::string kind;             ///< "Conv 3x3/1 64->64, BatchNorm, ReLU"
  std::vector<int64_t> output;  ///< (C,H,W) or (C)
  int64_t parameters;
  int64_t flops;  ///< multiplications and additions for one image
};

/// The layers in the order in which they end, found by sending an image through.
std::vector<LayerSummary> layers_as_they_end(Network& network, const NetworkOptions& options);

/// The same in the order in which the network declares them.
std::vector<LayerSummary> summarise(Network& network, const NetworkOptions& options);

int64_t parameter_count(const Network& network);

class ForeignModel;

/// The operators of an imported network with their weights, BatchNorm folded; outputs and FLOPs are left open. Empty
/// for a network that LibTorch's interpreter runs.
std::vector<LayerSummary> summarise(const ForeignModel& model);

/// The text of `fercli summary` for an imported network.
std::string describe_foreign(const ForeignModel& model);

/// The text of …_arch.txt: rationale, settings, table of layers, totals.
std::string describe_architecture(const std::string& arch, const NetworkOptions& options);

}  // namespace fercli
