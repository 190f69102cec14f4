// Safetensors: the weights by name, and as metadata what a checkpoint says, which `load_model` reads.
#include <fmt/format.h>

#include "models/files/state_dict.hpp"
#include "models/formats/export.hpp"
#include "models/networks/network.hpp"

namespace fercli::safetensors_writer {

namespace {

void write(const Checkpoint& checkpoint, const std::filesystem::path& path) {
  if (!checkpoint.network) {
    throw UserError(
        "safetensors holds weights for a known architecture; export an imported network as onnx or torchscript");
  }
  StateDict tensors;
  for (const auto& entry : checkpoint.network->named_parameters()) tensors[entry.key()] = entry.value();
  for (const auto& entry : checkpoint.network->named_buffers()) tensors[entry.key()] = entry.value();
  const auto& input = checkpoint.preprocessing;
  std::map<std::string, std::string> metadata{
      {"arch", checkpoint.arch},
      {"settings", nlohmann::json(checkpoint.options.settings).dump()},
      {"classes", join(checkpoint.classes.names(), ",")},
      {"input", fmt::format("{}x{}x{}", input.size, input.columns(), input.channels)},
      {"mean", fmt::format("{}", fmt::join(input.mean, ","))},
      {"std", fmt::format("{}", fmt::join(input.std, ","))}};
  if (input.crop_from > 0) metadata["crop_from"] = std::to_string(input.crop_from);
  if (checkpoint.window > 0) metadata["window"] = std::to_string(checkpoint.window);
  write_safetensors(tensors, metadata, path);
}

const Register<ModelWriter> registered{{"safetensors", "holds weights only", write}};

}  // namespace

}  // namespace fercli::safetensors_writer
