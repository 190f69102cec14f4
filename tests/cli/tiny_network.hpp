#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

#include "models/checkpoint.hpp"
#include "models/networks/network.hpp"

namespace fercli::test {

/// Saves an untrained network for 48x48 grey faces; a large `head_scale` makes it sure of what it says.
inline void save_tiny_network(const std::filesystem::path& path, uint64_t seed, double head_scale) {
  Checkpoint checkpoint;
  checkpoint.arch = "small-cnn";
  checkpoint.options = {1, 48, 7, complete_settings("small-cnn", {{"width", 4}})};
  checkpoint.classes = LabelSet::fer2013();
  checkpoint.network = make_network("small-cnn", checkpoint.options, seed);
  checkpoint.training = nlohmann::json::object();
  const torch::NoGradGuard no_grad;
  checkpoint.network->named_parameters().find("head.weight")->mul_(head_scale);
  save_checkpoint(checkpoint, path);
}

}  // namespace fercli::test
