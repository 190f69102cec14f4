// fercli eval: how good, how well calibrated and how robust a classifier is on labelled images.

#include "commands/eval_groups.hpp"
#include "commands/eval_robustness.hpp"
#include "commands/options/data_options.hpp"
#include "commands/options/show_options.hpp"
#include "core/command.hpp"
#include "core/error.hpp"
#include "core/escape.hpp"
#include "core/files.hpp"
#include "core/observer.hpp"
#include "core/options.hpp"
#include "core/output_folder.hpp"
#include "core/runtime.hpp"
#include "eval/evaluate.hpp"
#include "report/plots.hpp"

namespace fercli::eval_command {

namespace {

struct Settings {
  ModelOptions model;
  DataOptions data;
  RobustnessOptions robustness;
  GroupOptions groups;
  std::string tta = "none", out;
  int64_t batch_size = 256;
  ShowOptions show;
  Runtime runtime;
};

void declare(OptionSet& options, Settings& settings) {
  options.section("What to evaluate");
  settings.model.declare(options);
  settings.data.declare(options);
  settings.data.declare_split(options);
  options.choice("tta", &settings.tta, {"none", "flip", "ten-crop"},
                 "test-time augmentation: logits averaged over views");
  settings.groups.declare(options);
  settings.robustness.declare(options);
  settings.model.declare_foreign(options);
  settings.model.declare_space(options);
  options.section("Output");
  settings.show.declare(options);
  options.text("out,o", &settings.out, "DIR",
               "write result.json, per_image.csv, confusion_matrix.png and reliability.png, with --attacks also "
               "outcomes.csv (a line for each image, attack and eps); an interrupted run with --attacks goes on from "
               "there");
  options.integer("batch-size,b", &settings.batch_size, at_least(1), "images per forward pass; changes no number");
  settings.runtime.precision = "fp32";
  settings.model.declare_runtime(options, &settings.runtime);
  settings.robustness.division.declare_processes(options);
}

/// Adds the accuracy without the images that the network may have learnt by heart.
void add_deduplicated_accuracy(Result& result, const Predictions& predictions, const Dataset& evaluated,
                               const Dataset& all, std::optional<Split> split) {
  if (split == Split::Training) {
    result.add_warning("these are Training images, which the network may have learnt by heart");
  } else if (!all.has(Split::Training)) {
    result.add_warning("the data set has no Training images, so accuracy_deduplicated is left out");
  } else {
    const Metric metric = deduplicated_accuracy(predictions, evaluated, all.only(Split::Training));
    if (metric.n > 0) result.metrics["accuracy_deduplicated"] = metric;
  }
}

PrintedTable figures(const Result& result) {
  const auto& metrics = result.metrics;
  PrintedTable table{"", {"", ""}, {{"accuracy", proportion_cell(metrics.at("accuracy"))}}};
  if (metrics.count("accuracy_deduplicated"))
    table.rows.push_back({"not among Training", proportion_cell(metrics.at("accuracy_deduplicated"))});
  if (metrics.count("accuracy_by_votes"))
    table.rows.push_back({"by people's votes", proportion_cell(metrics.at("accuracy_by_votes"))});
  table.rows.push_back({"balanced accuracy", proportion_cell(metrics.at("balanced_accuracy"))});
  table.rows.push_back({"macro F1", proportion_cell(metrics.at("macro_f1"))});
  table.rows.push_back({"ECE", score_cell(metrics.at("ece"))});
  table.rows.push_back({"  if calibrated", score_cell(metrics.at("ece_if_calibrated"))});
  table.rows.push_back({"Brier score", score_cell(metrics.at("brier"))});
  table.rows.push_back({"neg. log likelihood", score_cell(metrics.at("nll"))});
  return table;
}

PrintedTable figures_by_class(const Result& result) {
  PrintedTable table{"By class (%, 95 % CI)", {"class", "images", "predicted", "precision", "recall", "F1"}, {}};
  for (const auto& row : result.per_class) {
    const auto metric = [&](const char* name) { return metric_from_json(row.at(name)); };
    table.rows.push_back({row.at("class").get<std::string>(), row.at("support").get<int64_t>(), metric("precision").n,
                          share_cell(metric("precision")), share_cell(metric("recall")), share_cell(metric("f1"))});
  }
  return table;
}

PrintedTable confusion(const Result& result, const LabelSet& classes) {
  PrintedTable table{"Confusion (images)", classes.names(), {}};
  table.columns.insert(table.columns.begin(), "true \\ pred.");
  for (const auto& row : result.tables.at("confusion_matrix")) {
    table.rows.push_back({classes.names()[table.rows.size()]});
    for (const auto& count : row) table.rows.back().push_back(count.get<int64_t>());
  }
  return table;
}

/// The attacks of a result in their order, each with its eps grid.
std::vector<std::pair<std::string, std::vector<std::string>>> adversarial_columns(const Result& result) {
  std::vector<std::pair<std::string, std::vector<std::string>>> columns;
  if (!result.tables.contains("robustness")) return columns;
  for (const auto& entry : result.tables.at("robustness")) {
    const std::string attack = entry.at("attack");
    if (attack == kWorstCase) continue;
    if (columns.empty() || columns.back().first != attack) columns.emplace_back(attack, std::vector<std::string>());
    columns.back().second.push_back(entry.at("eps").get<std::string>());
  }
  return columns;
}

/// One line per image; of an attacked one also, for each attack, the distance at which it succeeded and at each eps
/// what the network says then.
std::string image_csv(const Result& result, const LabelSet& classes) {
  std::string text = "id,label,predicted,correct";
  for (const auto& name : classes.names()) text += "," + csv_field("p_" + name);
  const auto attacks = adversarial_columns(result);
  for (const auto& [attack, eps] : attacks) {
    text += "," + csv_field("distance_" + attack);
    for (const auto& size : eps) text += "," + csv_field(fmt::format("{}@{}", attack, size));
  }
  for (const auto& image : result.per_image) {
    const auto label = image.at("label").get<std::string>(), predicted = image.at("predicted").get<std::string>();
    text += fmt::format("\n{},{},{},{:d}", csv_field(image.at("id")), csv_field(label), csv_field(predicted),
                        label == predicted);
    for (const auto& probability : image.at("probabilities")) text += "," + probability.dump();
    for (const auto& [attack, eps] : attacks) {
      const bool attacked = image.contains("answers");
      text += attacked && !image["distance"][attack].is_null() ? "," + image["distance"][attack].dump() : ",";
      for (size_t i = 0; i < eps.size(); ++i)
        text += "," + (attacked ? csv_field(image["answers"][attack][i].get<std::string>()) : "");
    }
  }
  return text + "\n";
}

/// The long form: one line per image, attack and eps.
std::string outcomes_csv(const Result& result) {
  std::string text = "id,label,clean,attack,eps,answer,robust,distance\n";
  const auto attacks = adversarial_columns(result);
  for (const auto& image : result.per_image) {
    if (!image.contains("answers")) continue;  // the goal does not concern it
    const auto label = image.at("label").get<std::string>();
    for (const auto& [attack, eps] : attacks) {
      const auto& distance = image.at("distance").at(attack);
      for (size_t i = 0; i < eps.size(); ++i) {
        const auto answer = image.at("answers").at(attack).at(i).get<std::string>();
        text += fmt::format("{},{},{},{},{},{},{:d},{}\n", csv_field(image.at("id")), csv_field(label),
                            csv_field(image.at("predicted")), csv_field(attack), csv_field(eps[i]), csv_field(answer),
                            answer == label, distance.is_null() ? "" : distance.dump());
      }
    }
  }
  return text;
}

/// The last part of a path, or the whole of any other source.
std::string short_name(const std::string& source) {
  const std::filesystem::path path = source;
  return (path.has_filename() ? path : path.parent_path()).filename().string();
}

/// Returns the names of what was written: pictures need gnuplot.
std::vector<std::string> write_files(const Result& result, const Outcomes& outcomes, const LabelSet& classes,
                                     const std::filesystem::path& folder) {
  write_result(result, folder / "result.json");
  write_file(folder / "per_image.csv", image_csv(result, classes));
  const std::string subject =
      fmt::format("{} on {} ({})", std::filesystem::path(result.model.at("model").get<std::string>()).stem().string(),
                  short_name(result.dataset.at("name")), result.dataset.at("split").get<std::string>());
  std::vector<std::string> names{"result.json", "per_image.csv"};
  if (result.tables.contains("robustness")) {
    write_file(folder / "outcomes.csv", outcomes_csv(result));
    names.push_back("outcomes.csv");
  }
  if (plot_confusion_matrix(confusion_matrix(outcomes, classes.size()), classes.names(), "Confusion matrix: " + subject,
                            folder / "confusion_matrix.png")) {
    names.push_back("confusion_matrix.png");
  }
  if (plot_reliability(reliability(outcomes), result.metrics.at("ece"), result.metrics.at("ece_if_calibrated"),
                       "Reliability: " + subject, folder / "reliability.png")) {
    names.push_back("reliability.png");
  }
  return names;
}

/// "accuracy 69.2 % (…)", after an attack with the worst case at the largest eps.
std::string result_line(const Result& result, const std::optional<RobustnessRun>& robustness) {
  std::string line = "accuracy " + format_proportion(result.metrics.at("accuracy"));
  if (!robustness) return line;
  const std::string eps = robustness->plan.ladder.back().text;
  return line +
         fmt::format("; robust accuracy at {} eps {}: {}", to_string(robustness->plan.norm), eps,
                     format_proportion(result.metrics.at(fmt::format("robust_accuracy.{}.{}", kWorstCase, eps))));
}

void print_result(const Settings& settings, const Result& result, const std::optional<RobustnessRun>& robustness,
                  const LabelSet& classes) {
  if (settings.show.json) return print_text("{}", format_result(result));
  if (settings.show.line_alone()) return print_text("{}\n", result_line(result, robustness));
  std::vector<PrintedTable> tables{figures(result), figures_by_class(result), confusion(result, classes)};
  if (!settings.show.text()) {
    tables.front().title = "Accuracy and calibration";
    if (robustness)
      for (auto& table : robustness_tables(result, *robustness, classes)) tables.push_back(std::move(table));
    if (result.tables.contains("groups"))
      for (auto& table : group_tables(result.tables["groups"])) tables.push_back(std::move(table));
    return settings.show.print(tables);
  }
  print_text("{} ({}) on {}, split {}: {} images\n", printable(result.model.at("model").get<std::string>()),
             result.model.at("arch").get<std::string>(), printable(result.dataset.at("name").get<std::string>()),
             result.dataset.at("split").get<std::string>(), result.n);
  print_text("Accuracy on test set: {:.0f}%\n\n", 100 * result.metrics.at("accuracy").value);
  settings.show.print(tables);
  print_text("\n  {:.0f} images/s\n", result.timing.at("images_per_second"));
  if (robustness) print_robustness(result, *robustness, classes);
  if (result.tables.contains("groups")) {
    print_text("\n");
    settings.show.print(group_tables(result.tables["groups"]));
  }
}

Result evaluate_clean(const Settings& settings, const OptionSet& options, const Checkpoint& checkpoint,
                      const Classifier& classifier, const Dataset& all, const Dataset& evaluated,
                      const Predictions& predictions) {
  Result result = summarise(predictions, evaluated, classifier.classes(), settings.runtime.seed);
  result.command = "eval";
  result.options = recorded_options(options);
  result.dataset = describe_dataset(evaluated, settings.data.split_name(all));
  result.model = describe_model(checkpoint, settings.model.model);
  result.model["precision"] = to_string(classifier.precision());
  for (const auto& warning : checkpoint.warnings) result.add_warning(warning);
  add_deduplicated_accuracy(result, predictions, evaluated, all, all.resolve_split(settings.data.split));
  const auto confusion = confusion_matrix({predictions.probabilities, evaluated.labels}, classifier.classes().size());
  if (const auto hint = label_order_hint(confusion, classifier.classes())) result.add_warning(*hint);
  return result;
}

/// Clean accuracy, robustness, files and printed text of this run.
int evaluate(const Settings& settings, const OptionSet& options, DividedWork& work) {
  std::optional<OutputFolder> place;
  if (!settings.out.empty() && work.has_results()) place.emplace(settings.out, "eval");
  std::optional<OutputLock> kept;
  if (const auto& file = settings.robustness.save_adv; !file.empty() && work.has_results()) {
    kept.emplace(OutputLock::of_file(file));
  }
  const Checkpoint checkpoint = settings.model.load();
  const Classifier classifier = make_classifier(checkpoint, settings.runtime).with_tta(parse_tta(settings.tta));
  const Dataset all = settings.data.read(settings.model, checkpoint);
  const Dataset evaluated = settings.data.part(all);
  Runtime search = settings.runtime;
  if (!options.given("precision")) search.precision = "auto";
  const auto subject = [&]() -> RobustnessSubject {
    return {classifier.with_precision(resolve_precision(search)), checkpoint.digest, evaluated};
  };
  if (settings.robustness.division.estimate) {
    print_robustness_estimate(settings.robustness, subject(), search);
    return 0;
  }
  if (work.ledgers_only()) {
    if (settings.robustness.wanted()) {
      run_robustness(settings.robustness, subject(), search, settings.out, work.division());
    }
    return 0;
  }
  const auto groups = settings.groups.load(evaluated);
  const Predictions predictions = predict(classifier, evaluated, settings.batch_size, ProgressObserver::terminal());
  Result result = evaluate_clean(settings, options, checkpoint, classifier, all, evaluated, predictions);

  std::optional<RobustnessRun> robustness;
  if (settings.robustness.wanted()) {
    const RobustnessSubject attacked = subject();
    result.model["search_precision"] = to_string(attacked.classifier.precision());  // of attacks that allow it
    robustness = run_robustness(settings.robustness, attacked, search, settings.out, work.division());
    add_to_result(result, *robustness, classifier.classes());
    save_if_wanted(settings.robustness, *robustness, evaluated,
                   {{"model", settings.model.model},
                    {"model_digest", checkpoint.digest},
                    {"data", evaluated.name},
                    {"split", settings.data.split_name(all)},
                    {"limit", settings.data.limit},
                    {"tta", settings.tta}});
  }

  add_groups(result, groups, predictions, evaluated, robustness);
  print_result(settings, result, robustness, classifier.classes());
  if (place) {
    const auto names =
        write_files(result, {predictions.probabilities, evaluated.labels}, classifier.classes(), place->work());
    place->complete();
    inform(fmt::format("written to {}: {}", settings.out, join(names, ", ")));
  }
  return robustness ? exit_code(settings.robustness, result, *robustness) : 0;
}

int run(const std::vector<std::string>& arguments) {
  Settings settings;
  OptionSet options("eval", "", "Measure accuracy, calibration and robustness of a model on labelled images.");
  declare(options, settings);
  if (!options.parse(arguments)) return 0;
  settings.robustness.attack.trust_code = settings.model.trust_code;
  settings.robustness.check(options, settings.out);
  settings.show.begin(options);
  DividedWork work(settings.robustness.division, words_of("eval", arguments), settings.out);
  prepare_machine(settings.robustness.division.shared(settings.runtime));
  return work.run([&](DividedWork& divided) { return evaluate(settings, options, divided); });
}

const Register<Command> registered{{"eval", "measure accuracy, calibration and robustness of a model", run}};

}  // namespace

}  // namespace fercli::eval_command
