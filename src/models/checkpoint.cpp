#include "models/checkpoint.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>
#include <set>

#include "core/container.hpp"
#include "core/digest.hpp"
#include "core/error.hpp"
#include "core/files.hpp"
#include "core/json_limits.hpp"
#include "core/json_text.hpp"
#include "models/files/limits.hpp"
#include "models/graph/foreign_model.hpp"
#include "models/networks/network.hpp"
#include "models/networks/weights.hpp"

namespace fercli {

namespace fs = std::filesystem;

namespace {

constexpr const char* kCheckpointKind = "checkpoint";

std::vector<std::string> shipped_models() {
  std::vector<std::string> names;
  const fs::path folder = find_shipped("models");
  if (folder.empty()) return names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".pt") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

/// Fills one parameter or buffer from the file's tensors.
void restore(torch::Tensor target, const std::string& name, const Container& file, const std::string& path) {
  const auto found = file.tensors.find(name);
  if (found == file.tensors.end()) throw UserError(fmt::format("{}: the tensor '{}' is missing", path, name));
  if (found->second.sizes() != target.sizes()) {
    throw UserError(fmt::format("{}: the tensor '{}' has shape ({}), the architecture needs ({})", path, name,
                                fmt::join(found->second.sizes(), ","), fmt::join(target.sizes(), ",")));
  }
  target.copy_(found->second);
}

}  // namespace

nlohmann::json to_json(const Preprocessing& preprocessing) {
  nlohmann::json json = {{"channels", preprocessing.channels},
                         {"size", preprocessing.size},
                         {"mean", preprocessing.mean},
                         {"std", preprocessing.std}};
  if (preprocessing.columns() != preprocessing.size) json["width"] = preprocessing.width;
  if (preprocessing.crop_from > 0) json["crop_from"] = preprocessing.crop_from;
  return json;
}

namespace {

void store_network(const Network& network, Container& file) {
  for (const auto& entry : network.named_parameters()) {
    file.tensors[entry.key()] = entry.value().detach().to(torch::kFloat16);
  }
  for (const auto& entry : network.named_buffers()) file.tensors[entry.key()] = entry.value();
}

void store_foreign(const ForeignModel& model, Container& file) {
  auto& header = file.header["foreign"] = {{"kind", model.kind()}};
  model.store(header, file.tensors);
}

std::shared_ptr<Network> restore_network(Checkpoint& checkpoint, const Container& file, const std::string& path) {
  require_fitting_settings(checkpoint.options.settings, file.tensors, path);
  checkpoint.options.settings = complete_settings(checkpoint.arch, checkpoint.options.settings);
  auto network = Registry<Architecture>::instance().get(checkpoint.arch).make(checkpoint.options);
  const torch::NoGradGuard no_grad;
  for (auto& entry : network->named_parameters()) restore(entry.value(), entry.key(), file, path);
  for (auto& entry : network->named_buffers()) restore(entry.value(), entry.key(), file, path);
  network->eval();
  return network;
}

std::shared_ptr<const ForeignModel> restore_foreign(const Container& file, const std::string& path, bool trust_code) {
  try {
    const auto& header = file.header.at("foreign");
    return Registry<StoredModel>::instance().get(header.at("kind")).restore(header, file.tensors, trust_code);
  } catch (const UserError& error) {
    throw UserError(fmt::format("{}: {}", path, error.what()));
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception&) {
    throw UserError(fmt::format("{}: the imported network in it is damaged", path));
  }
}

}  // namespace

void save_checkpoint(const Checkpoint& checkpoint, const fs::path& path) {
  Container file;
  file.kind = kCheckpointKind;
  file.header = {{"arch", checkpoint.arch},
                 {"channels", checkpoint.options.channels},
                 {"size", checkpoint.options.size},
                 {"settings", checkpoint.options.settings},
                 {"classes", checkpoint.classes.names()},
                 {"preprocessing", to_json(checkpoint.preprocessing)},
                 {"training", checkpoint.training}};
  if (checkpoint.window > 0) file.header["window"] = checkpoint.window;
  if (checkpoint.foreign) {
    store_foreign(*checkpoint.foreign, file);
    file.header["warnings"] = checkpoint.warnings;
  } else {
    store_network(*checkpoint.network, file);
  }
  save_container(file, path);
}

namespace {

/// The sizes of images and the label order, which decide how much memory is taken, before any network is made.
void check_header(const Checkpoint& checkpoint, const std::string& path) {
  const auto& input = checkpoint.preprocessing;
  const auto is_side = [](int64_t side) { return side >= 1 && side <= kLargestSide; };
  const int64_t cut = input.crop_from;
  const bool crops = cut == 0 || (is_side(cut) && cut >= input.size && cut >= input.columns());
  const auto fits = [&](const std::vector<double>& values) {
    return (values.size() == 1 || static_cast<int64_t>(values.size()) == input.channels) &&
           std::all_of(values.begin(), values.end(), [](double value) { return std::isfinite(value); });
  };
  if ((input.channels != 1 && input.channels != 3) || !is_side(input.size) || !is_side(input.columns()) || !crops ||
      checkpoint.options.channels != input.channels || checkpoint.options.size != input.size || !fits(input.mean) ||
      !fits(input.std)) {
    throw UserError(fmt::format("{}: the checkpoint's header asks for impossible images ({}x{}x{})", path, input.size,
                                input.columns(), input.channels));
  }
  if (checkpoint.classes.size() < 2) throw UserError(fmt::format("{}: names fewer than two classes", path));
  std::set<std::string> names;
  for (const auto& name : checkpoint.classes.names()) {
    if (!names.insert(name).second) throw UserError(fmt::format("{}: names the class {} twice", path, name));
  }
}

/// See NetworkSpec::window; where the header does not say it, from the options of the training.
int64_t window_of(const nlohmann::json& header) {
  if (header.contains("window")) return whole_of(header["window"]);
  const auto& training = header.at("training");
  if (!training.is_object()) return 0;
  const auto options = training.value("options", nlohmann::json::object());
  if (whole_of(options.value("full-epochs", nlohmann::json(0))) != 0) return 0;
  return whole_of(options.value("crop", nlohmann::json(0)));
}

}  // namespace

Checkpoint load_checkpoint(const fs::path& path, bool trust_code) {
  Checkpoint checkpoint;
  checkpoint.digest = file_sha256_hex(path);
  const Container file = load_container(path, kCheckpointKind);
  try {
    checkpoint.arch = file.header.at("arch");
    checkpoint.classes = LabelSet(file.header.at("classes").get<std::vector<std::string>>());
    checkpoint.options = {whole_of(file.header.at("channels")), whole_of(file.header.at("size")),
                          checkpoint.classes.size(), file.header.at("settings")};
    const auto& input = file.header.at("preprocessing");
    checkpoint.preprocessing = {whole_of(input.at("channels")),
                                whole_of(input.at("size")),
                                input.at("mean"),
                                input.at("std"),
                                whole_of(input.value("width", nlohmann::json(0))),
                                whole_of(input.value("crop_from", nlohmann::json(0)))};
    check_header(checkpoint, path.string());
    checkpoint.warnings = file.header.value("warnings", std::vector<std::string>{});
    checkpoint.training = file.header.at("training");
    checkpoint.window = window_of(file.header);
  } catch (const nlohmann::json::exception&) {
    throw UserError(
        fmt::format("{}: the checkpoint's header is not complete, or its values have wrong types", path.string()));
  }
  if (file.header.contains("foreign")) {
    checkpoint.foreign = restore_foreign(file, path.string(), trust_code);
  } else {
    checkpoint.network = restore_network(checkpoint, file, path.string());
    checkpoint.window = usable_window(checkpoint.window, checkpoint);
  }
  require_unchanged(path, checkpoint.digest);
  return checkpoint;
}

fs::path resolve_model(const std::string& model, const std::string& option) {
  std::error_code ignored;
  const bool there = fs::exists(model, ignored);
  if (there && !fs::is_directory(model, ignored)) return model;  // results may lie in a folder "robust"
  const bool plain_name = model.find('/') == std::string::npos && fs::path(model).extension().empty();
  fs::path shipped = plain_name ? find_shipped(fs::path("models") / (model + ".pt")) : fs::path();
  if (!shipped.empty()) return shipped;
  if (there) return model;
  const auto names = shipped_models();
  throw UserError(fmt::format("{} {}: no such file, and no shipped model of that name (shipped: {}{})", option, model,
                              names.empty() ? "none" : join(names, ", "), did_you_mean(model, names)));
}

Classifier make_classifier(const Checkpoint& checkpoint, const Runtime& runtime) {
  const Execution execution{resolve_precision(runtime), resolve_device(runtime), checkpoint.executor};
  if (checkpoint.foreign) return Classifier(checkpoint.foreign, checkpoint, execution);
  return Classifier(checkpoint.network, checkpoint, execution);
}

nlohmann::json describe_model(const Checkpoint& checkpoint, const std::string& model) {
  nlohmann::json description = {{"model", model},
                                {"digest", checkpoint.digest},
                                {"arch", checkpoint.arch},
                                {"settings", checkpoint.options.settings},
                                {"classes", checkpoint.classes.names()},
                                {"preprocessing", to_json(checkpoint.preprocessing)}};
  if (checkpoint.executor != "auto") description["executor"] = checkpoint.executor;
  return description;
}

nlohmann::json describe_classifier(const Classifier& classifier) {
  nlohmann::json description = {{"arch", classifier.arch()},
                                {"settings", classifier.options().settings},
                                {"classes", classifier.classes().names()},
                                {"preprocessing", to_json(classifier.preprocessing())},
                                {"tta", to_string(classifier.tta())}};
  if (const auto& name = classifier.execution().executor; name != "auto") description["executor"] = name;
  if (!classifier.device().is_cpu()) description["device"] = torch::Device(classifier.device().type()).str();
  if (const auto* foreign = dynamic_cast<const ForeignModel*>(classifier.model().get())) {
    nlohmann::json graph;
    std::map<std::string, torch::Tensor> tensors;
    foreign->store(graph, tensors);
    description["graph"] = sha256_hex(compact_json(graph));  // says whether a softmax was left out
  }
  return description;
}

}  // namespace fercli
