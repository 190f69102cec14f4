// fercli calibrate: temperature scaling, written into the last layer of a checkpoint.
#include <fmt/format.h>

#include <limits>

#include "commands/options/data_options.hpp"
#include "commands/options/output_file.hpp"
#include "commands/options/show_options.hpp"
#include "core/command.hpp"
#include "core/digest.hpp"
#include "core/error.hpp"
#include "core/escape.hpp"
#include "core/files.hpp"
#include "core/json_text.hpp"
#include "core/observer.hpp"
#include "core/options.hpp"
#include "core/runtime.hpp"
#include "core/untrusted.hpp"
#include "eval/evaluate.hpp"
#include "eval/measures/calibration.hpp"
#include "eval/measures/metrics.hpp"
#include "eval/result_shapes.hpp"
#include "models/networks/layers.hpp"
#include "models/networks/network.hpp"
#include "record/document_kind.hpp"
#include "report/training_log.hpp"

namespace fercli::calibrate_command {

namespace {

namespace fs = std::filesystem;

constexpr int64_t kBatch = 256;

/// The layer that gives the logits. Throws UserError when there is none of fercli's own.
Dense& output_layer(const Checkpoint& checkpoint) {
  if (checkpoint.network) {
    for (const auto& module : checkpoint.network->modules()) {
      auto* layer = dynamic_cast<Dense*>(module.get());
      if (layer != nullptr && layer->gives_logits()) return *layer;
    }
  }
  throw UserError(
      fmt::format("fercli calibrate: '{}' has no dense output layer of fercli's own to scale", checkpoint.arch));
}

/// In float32, which is what `fercli eval` reports.
Predictions predictions_of(const Checkpoint& checkpoint, const Dataset& images) {
  Runtime runtime;
  runtime.precision = "fp32";
  return predict(make_classifier(checkpoint, runtime), images, kBatch, ProgressObserver::terminal());
}

/// The model card in this file; none where there is no file, or one of another kind.
std::optional<nlohmann::json> card_in(const fs::path& file) {
  if (!fs::exists(file)) return std::nullopt;
  auto card = read_untrusted_json(file);
  if (!card.is_object() || card.value("schema", nlohmann::json()) != kModelCard) return std::nullopt;
  return card;
}

/// The card of just this network, which `fercli train` left beside it, or `fercli calibrate` under its name.
std::optional<nlohmann::json> card_of(const fs::path& model, const std::string& digest) {
  for (const auto& path : {fs::path(model).replace_extension(".json"), model.parent_path() / "model_card.json"}) {
    auto card = card_in(path);
    if (card && card->value("digest", nlohmann::json()) == digest) return card;
  }
  return std::nullopt;
}

fs::path card_path(const fs::path& out) {
  return fs::path(out).replace_extension(".json");
}

void require_room_for_card(const fs::path& out) {
  std::error_code ignored;
  if (card_path(out) != out && !fs::equivalent(card_path(out), out, ignored)) return;
  throw UserError(
      fmt::format("fercli calibrate: --out {}: the model card would take this very file; the checkpoint "
                  "needs an ending other than .json, such as .pt",
                  out.string()));
}

/// Where the search ends, the best temperature lies beyond.
void warn_at_bound(double temperature) {
  constexpr double kMargin = 1.001;
  if (temperature > kMargin / kHighestTemperature && temperature < kHighestTemperature / kMargin) return;
  warn(
      fmt::format("the temperature {:.4g} lies at the end of the search, [1/{:g}, {:g}]: these images do not tell the "
                  "best one (are they few, or all classified rightly?)",
                  temperature, kHighestTemperature, kHighestTemperature));
}

/// The card of the network as it was, with what changed, as OUT's name with .json.
void write_card(nlohmann::json card, const Checkpoint& checkpoint, const fs::path& out) {
  card["model"] = out.filename().string();
  card["digest"] = file_sha256_hex(out);
  card["training"] = checkpoint.training;
  write_file(card_path(out), pretty_json(card) + "\n");
}

int run(const std::vector<std::string>& arguments) {
  ModelOptions model;
  DataOptions data;
  OutputFileOption output;
  ShowOptions show;
  OptionSet options("calibrate", "",
                    "Scale the logits of a network so that its probabilities fit held-out images best (temperature "
                    "scaling). No decision changes.");
  options.section("Network and images");
  model.declare(options);
  declare_trust(options, &model.trust_code);
  data.declare(options);
  data.declare_split(options);
  options.section("Output");
  output.declare(options, "FILE", "the calibrated checkpoint; the model card goes with it, as FILE's name with .json");
  show.declare(options);
  if (!options.parse(arguments)) return 0;
  const std::string& out = output.path;
  if (out.empty()) throw UserError("fercli calibrate: --out FILE is needed");
  require_room_for_card(out);
  show.begin(options);
  for (const auto& input : {resolve_model(model.model), fs::path(data.data), fs::path(data.labels.votes)}) {
    require_other_file("fercli calibrate: --out", out, input);
    require_other_file("fercli calibrate: the model card of --out", card_path(out), input);
  }
  const OutputLock lock = output.take(options);
  require_free(options, "out", card_path(out), output.force);
  prepare_machine({});

  Checkpoint checkpoint = model.load_and_warn();
  Dense& output_of_network = output_layer(checkpoint);
  const auto card = card_of(resolve_model(model.model), checkpoint.digest);
  const bool outdated = !card && card_in(card_path(out));  // it is of the network that --out had
  const Dataset all = data.read(model, checkpoint);
  const Dataset images = data.part(all);
  if (images.size() == 0) throw UserError("fercli calibrate: no images in this split");
  const auto before = predictions_of(checkpoint, images);
  const double temperature =
      fit_temperature(before.probabilities.clamp_min(std::numeric_limits<double>::min()).log(), images.labels);
  warn_at_bound(temperature);
  output_of_network.scale_output(1 / temperature);
  const auto after = predictions_of(checkpoint, images);
  checkpoint.training["calibration"] = {{"temperature", temperature},
                                        {"n", images.size()},
                                        {"split", data.split_name(all)},
                                        {"data_digest", images.digest()}};
  save_checkpoint(checkpoint, out);
  if (card) write_card(*card, checkpoint, out);
  if (outdated) fs::remove(card_path(out));

  PrintedTable table{"", {"", "ECE", "negative log likelihood", "accuracy"}, {}};
  nlohmann::json document{{"out", out}, {"calibration", checkpoint.training["calibration"]}};
  for (const auto& [name, predictions] : {std::pair{"before", &before}, {"after", &after}}) {
    const auto metrics = clean_figures(*predictions, images, 0).metrics;
    table.rows.push_back(
        {name, score_cell(metrics.at("ece")), score_cell(metrics.at("nll")), proportion_cell(metrics.at("accuracy"))});
    for (const char* metric : {"ece", "nll", "accuracy"}) document[name][metric] = to_json(metrics.at(metric));
  }
  const std::string line = fmt::format("{}: temperature {:.4f}, fitted on {} images of {}", out, temperature,
                                       images.size(), data.split_name(all));
  if (show.json) print_text("{}\n", pretty_json(document));
  if (show.text()) print_text("{}\n", printable(line));
  if (!show.json && !show.text()) table.title = line;
  if (!show.json && !show.line_alone()) show.print({table});
  return 0;
}

nlohmann::json schema() {
  using namespace shape;
  const json metric = Shape<Metric>::schema(),
             metrics = object({{"ece", metric}, {"nll", metric}, {"accuracy", metric}});
  const json calibration = object({{"temperature", number()},
                                   {"n", described(whole(), "images that it was fitted on")},
                                   {"split", text()},
                                   {"data_digest", text()}});
  return object({{"out", described(text(), "the calibrated checkpoint")},
                 {"calibration", calibration},
                 {"before", metrics},
                 {"after", metrics}});
}

const Register<DocumentKind> document_kind{{"calibrate", "--json of calibrate: before and after", schema}};

const Register<Command> registered{{"calibrate", "temperature scaling: make probabilities mean what they say", run}};

}  // namespace

}  // namespace fercli::calibrate_command
