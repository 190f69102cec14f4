#include "models/networks/weights.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <regex>

#include "core/error.hpp"
#include "models/files/state_dict.hpp"
#include "models/networks/network.hpp"

namespace fercli {

namespace {

constexpr size_t kMostShown = 8;  // names in a message

/// torchvision keeps BatchNorm beside its convolution ("bn1" for "conv1", "downsample.1" for "downsample.0"); here it
/// is part of it.
std::string own_name(const std::string& theirs) {
  static const std::regex batch_norm("(.*)\\b(?:bn(\\d+)|(downsample)\\.1)\\.(weight|bias|running_mean|running_var)");
  static const std::regex projection("(.*\\bdownsample)\\.0\\.weight");
  std::smatch match;
  if (std::regex_match(theirs, match, projection)) return match[1].str() + ".weight";
  if (!std::regex_match(theirs, match, batch_norm)) return theirs;
  const std::string layer = match[3].matched ? match[3].str() : "conv" + match[2].str();
  const std::string part = match[4].str() == "weight" ? "scale" : match[4].str() == "bias" ? "shift" : match[4].str();
  return match[1].str() + layer + "." + part;
}

struct Taken {
  int64_t taken = 0, wanted = 0, available = 0;
  std::vector<std::string> missing;
};

Taken take_weights(Network& network, const std::filesystem::path& path) {
  const torch::NoGradGuard no_grad;
  StateDict tensors;
  for (const auto& [name, tensor] : read_state_dict(path)) tensors[own_name(name)] = tensor;
  Taken result;
  result.available = static_cast<int64_t>(tensors.size());
  const auto take = [&](const std::string& name, torch::Tensor target) {
    ++result.wanted;
    const auto found = tensors.find(name);
    if (found == tensors.end() || found->second.sizes() != target.sizes()) {
      result.missing.push_back(name);
      return;
    }
    target.copy_(found->second);
    ++result.taken;
  };
  for (const auto& entry : network.named_parameters()) take(entry.key(), entry.value());
  for (const auto& entry : network.named_buffers()) take(entry.key(), entry.value());
  if (result.taken == 0) {
    throw UserError(fmt::format("{}: none of its {} tensors fits this architecture", path.string(), result.available));
  }
  return result;
}

}  // namespace

void require_fitting_settings(const std::map<std::string, double>& settings, const StateDict& tensors,
                              const std::string& path) {
  auto most = static_cast<double>(tensors.size());
  for (const auto& entry : tensors) {
    for (const int64_t side : entry.second.sizes()) most = std::max(most, static_cast<double>(side));
  }
  for (const auto& [name, value] : settings) {
    if (value >= 0 && value <= std::max(most, 1.0)) continue;
    throw UserError(fmt::format("{}: the setting {} = {} does not fit its tensors", path, name, value));
  }
}

std::string load_weights(Network& network, const std::filesystem::path& path) {
  const Taken result = take_weights(network, path);
  return fmt::format("{}: {} of the network's {} tensors taken, the others start at random", path.string(),
                     result.taken, result.wanted);
}

void load_all_weights(Network& network, const std::filesystem::path& path) {
  const Taken result = take_weights(network, path);
  if (result.missing.empty()) return;
  auto shown = result.missing;
  if (shown.size() > kMostShown) shown.resize(kMostShown), shown.push_back("…");
  throw UserError(fmt::format("{}: of the architecture's {} tensors {} are missing or of another shape: {}",
                              path.string(), result.wanted, result.missing.size(), join(shown, ", ")));
}

}  // namespace fercli
