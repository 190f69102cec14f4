#include "serve/served_models.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/escape.hpp"
#include "core/text.hpp"
#include "serve/upload.hpp"

namespace fercli {

namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kEveryModel = "all";

double six_places(double probability) {
  return std::round(probability * 1e6) / 1e6;
}

/// The classes' names in this language; those that it calls alike ("neutral" and "calm") keep their own.
std::vector<std::string> names_in(const LabelSet& classes, const std::string& language) {
  std::vector<std::string> names;
  std::map<std::string, int> times;
  for (const auto& name : classes.names()) {
    names.push_back(display_name(name, language));
    ++times[names.back()];
  }
  for (size_t k = 0; k < names.size(); ++k) {
    if (times[names[k]] > 1) names[k] = classes.names()[k];
  }
  return names;
}

std::string stem_of(const std::string& given) {
  return std::filesystem::path(given).stem().string();
}

/// Files of different folders often have one name, and one may be called "all".
std::vector<std::string> served_names(const std::vector<NamedCheckpoint>& checkpoints) {
  std::vector<std::string> names;
  for (const auto& each : checkpoints) {
    const auto same = std::count_if(checkpoints.begin(), checkpoints.end(), [&](const NamedCheckpoint& other) {
      return stem_of(other.name) == stem_of(each.name);
    });
    const bool unclear = same > 1 || to_lower(stem_of(each.name)) == kEveryModel;
    const std::string name = printable(unclear ? each.name : stem_of(each.name));
    if (std::find(names.begin(), names.end(), name) != names.end()) {
      throw UserError(fmt::format("--model {}: is given twice", name));
    }
    if (to_lower(name) == kEveryModel) {
      throw UserError(fmt::format("--model {}: by this name requests ask for all networks; rename the file", name));
    }
    names.push_back(name);
  }
  return names;
}

}  // namespace

ServedModels::ServedModels(const std::vector<NamedCheckpoint>& checkpoints, const Runtime& runtime) {
  if (checkpoints.empty()) throw UserError("--model: must name a network");
  const auto names = served_names(checkpoints);
  for (size_t i = 0; i < checkpoints.size(); ++i) {
    models_.push_back(
        {names[i], checkpoints[i].checkpoint.digest, make_classifier(checkpoints[i].checkpoint, runtime)});
  }
}

const ServedModel& ServedModels::get(const std::string& name) const {
  std::vector<std::string> names;
  std::vector<const ServedModel*> alike;
  for (const auto& model : models_) {
    if (model.name == name) return model;
    if (to_lower(model.name) == to_lower(name)) alike.push_back(&model);
    names.push_back(model.name);
  }
  if (alike.size() == 1) return *alike.front();
  throw RequestError(400, fmt::format("model '{}' is not served{}; this server has {}", shown_name(name),
                                      did_you_mean(name, names), join(names, ", ")));
}

std::vector<const ServedModel*> ServedModels::chosen(const std::string& names) const {
  std::vector<const ServedModel*> models;
  if (to_lower(trim(names)) == kEveryModel) {
    for (const auto& model : models_) models.push_back(&model);
    return models;
  }
  for (const auto& name : split(names, ',')) {
    const ServedModel* model = &get(name);
    if (std::find(models.begin(), models.end(), model) == models.end()) models.push_back(model);
  }
  if (models.empty()) models.push_back(&first());
  return models;
}

Json describe_served(const ServedModel& model) {
  const auto& input = model.classifier.preprocessing();
  return {{"model", model.name},
          {"arch", model.classifier.arch()},
          {"digest", model.digest},
          {"classes", model.classifier.classes().names()},
          {"precision", to_string(model.classifier.precision())},
          {"input", {{"channels", input.channels}, {"size", input.size}}}};
}

shape::Members served_members() {
  using namespace shape;
  return {{"model", described(text(), "by which requests name it")},
          {"arch", text()},
          {"digest", text()},
          {"classes", list(text())},
          {"precision", text()},
          {"input", object({{"channels", whole()}, {"size", whole()}})}};
}

Json labels_of(const LabelSet& classes) {
  Json labels = Json::array();
  const auto french = names_in(classes, "fr");
  for (size_t k = 0; k < french.size(); ++k) {
    const std::string& name = classes.names()[k];
    const Emotion* emotion = find_emotion(name);
    labels.push_back({{"name", name}, {"french", french[k]}, {"emoji", emotion != nullptr ? emotion->emoji : ""}});
  }
  return labels;
}

nlohmann::json labels_schema() {
  using namespace shape;
  return list(titled(object({{"name", text()}, {"french", text()}, {"emoji", text()}}), "Label"));
}

Verdict verdict_of(const LabelSet& classes, const std::vector<double>& probabilities, const std::string& language) {
  const int64_t best = top_of(probabilities);
  const auto names = names_in(classes, language);
  Verdict verdict{
      names[static_cast<size_t>(best)], classes.name(best), six_places(probabilities[static_cast<size_t>(best)]), {}};
  for (size_t k = 0; k < names.size(); ++k) verdict.probabilities.emplace_back(names[k], six_places(probabilities[k]));
  return verdict;
}

}  // namespace fercli
