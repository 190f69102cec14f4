#pragma once

#include <torch/types.h>

#include <filesystem>
#include <map>
#include <string>

#include "models/files/file_probe.hpp"

namespace fercli {

/// Tensors by name.
using StateDict = std::map<std::string, torch::Tensor>;

bool is_state_dictionary(const FileProbe& file);  ///< a zip-format file of torch.save, without code
bool is_safetensors(const FileProbe& file);

/// Reads a PyTorch state dictionary (also inside a dictionary under "state_dict", "model", "model_state_dict", "net" or
/// "tensors"; a leading "module." is dropped), a fercli checkpoint's tensors, or a safetensors file. Throws UserError:
/// unreadable, damaged, a tensor that reaches beyond its data, or none at all.
StateDict read_state_dict(const std::filesystem::path& path);

/// The texts by name that a safetensors file holds beside its tensors; none is usual. Throws UserError: unreadable,
/// damaged.
std::map<std::string, std::string> read_metadata(const std::filesystem::path& path);

/// The safetensors format (https://github.com/huggingface/safetensors): eight bytes with the length of a JSON header,
/// the header, the data. `metadata` goes into its "__metadata__".
void write_safetensors(const StateDict& tensors, const std::map<std::string, std::string>& metadata,
                       const std::filesystem::path& path);

}  // namespace fercli
