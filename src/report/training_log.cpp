#include "report/training_log.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/digest.hpp"
#include "core/environment.hpp"
#include "core/error.hpp"
#include "core/files.hpp"
#include "core/json_text.hpp"
#include "core/text.hpp"
#include "eval/measures/metrics.hpp"
#include "eval/result_shapes.hpp"
#include "models/summary.hpp"
#include "record/document_kind.hpp"
#include "report/plots.hpp"

namespace fercli {

namespace {

Metric clean_accuracy(const EpochRecord& record, int64_t images) {
  return proportion(std::llround(record.validation_accuracy * static_cast<double>(images)), images);
}

/// The counts as a confusion matrix; which wrong class an image went to does not matter here.
Metric balanced_robust_accuracy(const RobustCounts& counts) {
  const auto classes = static_cast<int64_t>(counts.images.size());
  auto confusion = torch::zeros({classes, classes}, torch::kInt64);
  for (int64_t k = 0; k < classes; ++k) {
    confusion[k][k] = counts.hits[k];
    confusion[k][(k + 1) % classes] = counts.images[k] - counts.hits[k];
  }
  return balanced_accuracy(confusion);
}

/// "36/255" where it is one, else a decimal number.
std::string eps_text(double eps) {
  const double levels = eps * 255;
  return std::abs(levels - std::round(levels)) < 1e-6 ? fmt::format("{:.0f}/255", levels) : fmt::format("{:.4g}", eps);
}

void write_history(const std::vector<EpochRecord>& history, const std::filesystem::path& path) {
  const bool robust = history.front().robust.has_value();
  std::string text =
      "epoch,train_loss,train_accuracy,validation_loss,validation_accuracy,validation_balanced_accuracy,learning_rate,"
      "seconds,best";
  if (robust)
    text += ",robust_accuracy,balanced_robust_accuracy,live_balanced_robust_accuracy,eps,attack_steps,top_share";
  text += "\n";
  for (const auto& r : history) {
    text += fmt::format("{},{:.6f},{:.6f},{:.6f},{:.6f},{:.6f},{:.6g},{:.1f},{}", r.epoch, r.train_loss,
                        r.train_accuracy, r.validation_loss, r.validation_accuracy, r.validation_balanced_accuracy,
                        r.learning_rate, r.seconds, r.best ? 1 : 0);
    if (robust) {
      text += fmt::format(",{:.6f},{:.6f},{:.6f},{:.6g},{},{:.6f}", r.robust->accuracy, r.robust->balanced_accuracy,
                          r.robust->live_balanced_accuracy, r.robust->eps, r.robust->steps, r.robust->top_share);
    }
    text += "\n";
  }
  write_file(path, text);
}

struct ModelCard {
  std::string model = "best.pt", digest, arch;
  nlohmann::json settings, training;
  int64_t parameters = 0, epochs_done = 0;
  std::vector<std::string> classes;
  EpochRecord best_epoch;
  Environment environment;
  Metric validation_accuracy{};
  std::string note = "the epoch was chosen on the validation images, so this accuracy is slightly optimistic";
  std::optional<Metric> balanced_robust;
};

template <class Visitor>
void visit_fields(Visitor& field, ModelCard& card) {
  using namespace shape;
  field.constant("schema", kModelCard, "");
  field("model", card.model, "the file that it is about, beside it");
  field("digest", card.digest, "SHA-256 of that file");
  field("arch", card.arch);
  field("settings", card.settings, "of the architecture", map_of(number()));
  field("parameters", card.parameters);
  field("classes", card.classes);
  field("training", card.training, "options, data, and what was done to the network since", open_object({}));
  field("epochs_done", card.epochs_done);
  field("best_epoch", card.best_epoch);
  field("validation_accuracy", card.validation_accuracy);
  field("note", card.note);
  field("environment", card.environment);
  field.optional("balanced_robust_validation_accuracy", card.balanced_robust, "");
}

void draw_curves(const std::vector<EpochRecord>& history, int64_t validation_images,
                 const std::filesystem::path& path) {
  std::vector<EpochPoint> points;
  for (const auto& r : history) {
    EpochPoint point{r.epoch,           r.train_loss,          r.train_accuracy,
                     r.validation_loss, r.validation_accuracy, r.learning_rate};
    if (r.robust) {
      point.robust_accuracy = r.robust->accuracy;
      point.balanced_robust_accuracy = r.robust->balanced_accuracy;
    }
    points.push_back(point);
  }
  plot_learning_curves(points, validation_images, path);
}

}  // namespace

TrainingLog::TrainingLog(std::filesystem::path folder, Checkpoint start, int64_t validation_images)
    : folder_(std::move(folder)),
      start_(std::move(start)),
      validation_images_(validation_images),
      writer_(folder_ / "logs") {}

void TrainingLog::write(const std::vector<EpochRecord>& history) {
  write_history(history, folder_ / "history.csv");
  log_scalars(history.back());
  draw_curves(history, validation_images_, folder_ / "learning_curves.png");
  write_card(history);
}

void TrainingLog::log_scalars(const EpochRecord& record) {
  writer_.scalar("loss/train", record.epoch, record.train_loss);
  writer_.scalar("loss/validation", record.epoch, record.validation_loss);
  writer_.scalar("accuracy/train", record.epoch, record.train_accuracy);
  writer_.scalar("accuracy/validation", record.epoch, record.validation_accuracy);
  writer_.scalar("accuracy/validation_balanced", record.epoch, record.validation_balanced_accuracy);
  writer_.scalar("learning_rate", record.epoch, record.learning_rate);
  if (!record.robust) return;
  writer_.scalar("robust_accuracy/validation", record.epoch, record.robust->accuracy);
  writer_.scalar("robust_accuracy/validation_balanced", record.epoch, record.robust->balanced_accuracy);
  writer_.scalar("robust_accuracy/live_weights_balanced", record.epoch, record.robust->live_balanced_accuracy);
  writer_.scalar("attack/eps", record.epoch, record.robust->eps);
  writer_.scalar("attack/steps", record.epoch, static_cast<double>(record.robust->steps));
}

/// What a stranger must know about best.pt, as JSON beside it.
void TrainingLog::write_card(const std::vector<EpochRecord>& history) const {
  const auto best = std::max_element(history.begin(), history.end(),
                                     [](const EpochRecord& a, const EpochRecord& b) { return a.score() < b.score(); });
  ModelCard card;
  card.digest = file_sha256_hex(folder_ / card.model);
  card.arch = start_.arch;
  card.settings = start_.options.settings;
  card.parameters = parameter_count(*start_.network);
  card.classes = start_.classes.names();
  card.training = start_.training;
  card.epochs_done = static_cast<int64_t>(history.size());
  card.best_epoch = *best;
  card.validation_accuracy = clean_accuracy(*best, validation_images_);
  card.environment = this_environment();
  if (best->robust) {
    card.balanced_robust = balanced_robust_accuracy(best->robust->counts);
    card.note = "the epoch was chosen by PGD on part of the validation images; measure with stronger attacks";
  }
  write_file(folder_ / "model_card.json", pretty_json(Shape<ModelCard>::write(card)) + "\n");
}

namespace {

const Register<DocumentKind> card_document{{"model-card",
                                            "model_card.json of train, and the file that calibrate writes beside --out",
                                            schema_of_record<ModelCard>}};

}  // namespace

nlohmann::json read_history(const std::filesystem::path& path) {
  const auto lines = split(read_file(path), '\n');
  const auto names = lines.empty() ? std::vector<std::string>{} : split(lines.front(), ',');
  auto epochs = nlohmann::json::array();
  try {
    if (names.empty() || names.front() != "epoch") throw std::invalid_argument("no header");
    for (size_t i = 1; i < lines.size(); ++i) {
      const auto values = split(lines[i], ',');
      if (values.size() != names.size()) continue;
      nlohmann::json epoch;
      for (size_t k = 0; k < names.size(); ++k) epoch[names[k]] = parse_number(values[k]);
      epoch["epoch"] = parse_integer(values.front());
      epochs.push_back(std::move(epoch));
    }
  } catch (const std::invalid_argument&) {
    throw UserError(fmt::format("{}: is not the history of a training run", path.string()));
  }
  return epochs;
}

std::filesystem::path history_beside(const std::filesystem::path& model) {
  const std::string stem = model.stem().string();
  const bool of_run = stem == "best" || stem == "last";
  const auto path = model.parent_path() / (of_run ? "history.csv" : stem + "-history.csv");
  std::error_code error;
  return std::filesystem::exists(path, error) ? path : std::filesystem::path();
}

std::string describe_epoch(const EpochRecord& r, const LabelSet& classes) {
  std::string line = fmt::format(
      "epoch {:>3}  train loss {:.4f} accuracy {:.2f} %  validation loss {:.4f} accuracy {:.2f} % (balanced {:.2f} %)",
      r.epoch, r.train_loss, 100 * r.train_accuracy, r.validation_loss, 100 * r.validation_accuracy,
      100 * r.validation_balanced_accuracy);
  if (r.robust) {
    line += fmt::format("  robust {:.2f} % (balanced {:.2f} %)  {} answered {:.0f} %  trained at eps {}, {} steps",
                        100 * r.robust->accuracy, 100 * r.robust->balanced_accuracy, classes.name(r.robust->top_class),
                        100 * r.robust->top_share, eps_text(r.robust->eps), r.robust->steps);
  }
  return line + fmt::format("  {:.0f} s{}", r.seconds, r.best ? "  best" : "");
}

std::string describe_best(const EpochRecord& record, int64_t validation_images) {
  std::string text = "validation accuracy " + format_proportion(clean_accuracy(record, validation_images));
  if (record.robust) {
    text +=
        ", balanced robust accuracy " + format_proportion(balanced_robust_accuracy(record.robust->counts)) + " by PGD";
  }
  return text + fmt::format(" after epoch {}", record.epoch);
}

}  // namespace fercli
