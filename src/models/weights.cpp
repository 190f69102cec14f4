#include "models/weights.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <torch/serialize.h>

#include "core/error.hpp"
#include "core/files.hpp"
#include "models/network.hpp"

namespace fercli {

namespace {

/// Tensors by name, of a state dictionary or of the "tensors" of a fercli file.
std::map<std::string, torch::Tensor> read_tensors(const std::filesystem::path& path) {
  const std::string bytes = read_file(path);
  std::map<std::string, torch::Tensor> tensors;
  try {
    auto dictionary = torch::pickle_load(std::vector<char>(bytes.begin(), bytes.end())).toGenericDict();
    if (dictionary.contains("tensors")) dictionary = dictionary.at("tensors").toGenericDict();
    for (const auto& entry : dictionary) {
      if (entry.value().isTensor()) tensors[entry.key().toStringRef()] = entry.value().toTensor();
    }
  } catch (const std::exception&) {
    throw UserError(fmt::format("--weights {}: is not a fercli checkpoint nor a zip-format PyTorch state dictionary",
                                path.string()));
  }
  return tensors;
}

}  // namespace

std::string load_weights(Network& network, const std::filesystem::path& path) {
  const torch::NoGradGuard no_grad;
  const auto tensors = read_tensors(path);
  int64_t taken = 0, wanted = 0;
  const auto take = [&](const std::string& name, torch::Tensor target) {
    ++wanted;
    const auto found = tensors.find(name);
    if (found == tensors.end() || found->second.sizes() != target.sizes()) return;
    target.copy_(found->second);
    ++taken;
  };
  for (const auto& entry : network.named_parameters()) take(entry.key(), entry.value());
  for (const auto& entry : network.named_buffers()) take(entry.key(), entry.value());
  if (taken == 0)
    throw UserError(
        fmt::format("--weights {}: none of its {} tensors fits this architecture", path.string(), tensors.size()));
  return fmt::format("{}: {} of the network's {} tensors taken, the others start at random", path.string(), taken,
                     wanted);
}

}  // namespace fercli
