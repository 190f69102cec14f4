#include "models/networks/weights.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <string_view>

#include "core/error.hpp"
#include "models/files/state_dict.hpp"
#include "models/networks/network.hpp"

namespace fercli {

namespace {

constexpr size_t kMostShown = 8;  // names in a message

/// The text ends with these letters, and a word of names begins with them.
bool ends_in_word(const std::string& text, std::string_view word) {
  if (text.size() < word.size()) return false;
  const size_t place = text.size() - word.size();
  const auto before = static_cast<unsigned char>(place > 0 ? text[place - 1] : '.');
  return text.compare(place, word.size(), word) == 0 && std::isalnum(before) == 0 && before != '_';
}

/// torchvision keeps BatchNorm beside its convolution ("bn1" for "conv1", "downsample.1" for "downsample.0"); here it
/// is part of it.
std::string own_name(const std::string& theirs) {
  static const std::map<std::string, std::string> parts = {
      {"weight", "scale"}, {"bias", "shift"}, {"running_mean", "running_mean"}, {"running_var", "running_var"}};
  const size_t dot = std::min(theirs.rfind('.'), theirs.size());
  const std::string layer = theirs.substr(0, dot), part = theirs.substr(std::min(dot + 1, theirs.size()));
  if (part == "weight" && ends_in_word(layer, "downsample.0")) return layer.substr(0, layer.size() - 2) + ".weight";
  const auto own = parts.find(part);
  if (own == parts.end()) return theirs;
  if (ends_in_word(layer, "downsample.1")) return layer.substr(0, layer.size() - 2) + "." + own->second;
  const size_t number = layer.find_last_not_of("0123456789") + 1;
  const std::string named = layer.substr(0, number);
  if (number == layer.size() || !ends_in_word(named, "bn")) return theirs;
  return named.substr(0, number - 2) + "conv" + layer.substr(number) + "." + own->second;
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
