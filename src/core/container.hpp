#pragma once

#include <torch/types.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

namespace fercli {

/// fercli's file format for checkpoints, training states and packed datasets: one JSON header plus named tensors, in a
/// zip-format file that `torch.load` and `torch::pickle_load` read as a plain dictionary
/// {"fercli": header text, "tensors": {name: tensor}, "sha256": digest}. The digest covers header and tensors, so that
/// damage is found. `kind` ("checkpoint", "training-state", "dataset") keeps the kinds apart.
struct Container {
  std::string kind;
  nlohmann::json header;
  std::map<std::string, torch::Tensor> tensors;
};

/// What a file of it holds.
std::string container_bytes(const Container& container);

/// From such bytes; `name` is for messages. Throws as `load_container`.
Container read_container(const std::string& bytes, const std::string& name, const std::string& kind);

/// Writes by rename. Throws UserError when the place cannot be written.
void save_container(const Container& container, const std::filesystem::path& path);

/// Throws UserError with one sentence: no such file, not a fercli file, another kind, truncated or damaged, or written
/// by a newer fercli.
Container load_container(const std::filesystem::path& path, const std::string& kind);

}  // namespace fercli
