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
#include "eval/robustness_summary.hpp"
#include "eval/study/group_part.hpp"
#include "report/plots.hpp"

namespace fercli::eval_command {

namespace {

struct Settings {
  ModelOptions model;
  DataOptions data;
  RobustnessOptions robustness;
  GroupOptions groups;
  std::string out;
  int64_t batch_size = 256;
  ShowOptions show;
  Runtime runtime;
};

void declare(OptionSet& options, Settings& settings) {
  options.section("What to evaluate");
  settings.model.declare(options);
  settings.data.declare(options);
  settings.data.declare_split(options);
  settings.model.declare_tta(options);
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

/// Why the accuracy without the images that the network may have learnt by heart is left out; "": it is not.
std::string why_not_deduplicated(const Dataset& all, std::optional<Split> split) {
  if (split == Split::Training) return "these are Training images, which the network may have learnt by heart";
  if (!all.has(Split::Training)) return "the data set has no Training images, so accuracy_deduplicated is left out";
  return "";
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

PrintedTable figures_by_class(const CleanFigures& clean) {
  PrintedTable table{"By class (%, 95 % CI)", {"class", "images", "predicted", "precision", "recall", "F1"}, {}};
  for (const auto& row : clean.per_class) {
    const auto metric = [&](const char* name) { return metric_from_json(row.at(name)); };
    table.rows.push_back({row.at("class").get<std::string>(), row.at("support").get<int64_t>(), metric("precision").n,
                          share_cell(metric("precision")), share_cell(metric("recall")), share_cell(metric("f1"))});
  }
  return table;
}

PrintedTable confusion(const CleanFigures& clean, const LabelSet& classes) {
  PrintedTable table{"Confusion (images)", classes.names(), {}};
  table.columns.insert(table.columns.begin(), "true \\ pred.");
  for (const auto& row : clean.confusion_matrix) {
    table.rows.push_back({classes.names()[table.rows.size()]});
    for (const int64_t count : row) table.rows.back().push_back(count);
  }
  return table;
}

/// What was found, before it is written.
struct Findings {
  Result result;
  CleanFigures clean;
  std::optional<RobustnessRun> robustness;

  std::vector<std::string> attacks() const {
    return robustness ? robustness->plan.attacks : std::vector<std::string>();
  }
  const std::vector<Budget>& ladder() const { return robustness->plan.ladder; }
};

/// Empty where it is not finite.
std::string finite_field(double value) {
  return std::isfinite(value) ? nlohmann::json(value).dump() : "";
}

/// One line per image; of an attacked one also, for each attack, the distance at which it succeeded and at each eps
/// what the network says then.
std::string image_csv(const Findings& found, const LabelSet& classes) {
  std::string text = "id,label,predicted,correct";
  for (const auto& name : classes.names()) text += "," + csv_field("p_" + name);
  const auto attacks = found.attacks();
  for (const auto& attack : attacks) {
    text += "," + csv_field("distance_" + attack);
    for (const auto& budget : found.ladder()) text += "," + csv_field(fmt::format("{}@{}", attack, budget.text));
  }
  for (const auto& image : found.result.per_image) {
    text += fmt::format("\n{},{},{},{:d}", csv_field(image.id), csv_field(image.label), csv_field(image.predicted),
                        image.label == image.predicted);
    for (const double probability : image.probabilities) text += "," + finite_field(probability);
    for (const auto& attack : attacks) {
      const bool attacked = !image.answers.empty();
      text += "," + (attacked ? finite_field(image.distance.at(attack)) : "");
      for (size_t i = 0; i < found.ladder().size(); ++i)
        text += "," + (attacked ? csv_field(image.answers.at(attack).at(i)) : "");
    }
  }
  return text + "\n";
}

/// The long form: one line per image, attack and eps.
std::string outcomes_csv(const Findings& found) {
  std::string text = "id,label,clean,attack,eps,answer,robust,distance\n";
  for (const auto& image : found.result.per_image) {
    if (image.answers.empty()) continue;  // the goal does not concern it
    for (const auto& attack : found.attacks()) {
      const auto& answers = image.answers.at(attack);
      const auto distance = finite_field(image.distance.at(attack));
      for (size_t i = 0; i < answers.size(); ++i) {
        text += fmt::format("{},{},{},{},{},{},{:d},{}\n", csv_field(image.id), csv_field(image.label),
                            csv_field(image.predicted), csv_field(attack), csv_field(found.ladder()[i].text),
                            csv_field(answers[i]), answers[i] == image.label, distance);
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
std::vector<std::string> write_files(const Findings& found, const LabelSet& classes,
                                     const std::filesystem::path& folder) {
  const Result& result = found.result;
  write_result(result, folder / "result.json");
  write_file(folder / "per_image.csv", image_csv(found, classes));
  const std::string subject =
      fmt::format("{} on {} ({})", std::filesystem::path(result.model().at("model").get<std::string>()).stem().string(),
                  short_name(result.dataset.at("name")), result.dataset.at("split").get<std::string>());
  std::vector<std::string> names{"result.json", "per_image.csv"};
  if (found.robustness) {
    write_file(folder / "outcomes.csv", outcomes_csv(found));
    names.push_back("outcomes.csv");
  }
  if (plot_confusion_matrix(found.clean.confusion_matrix, classes.names(), "Confusion matrix: " + subject,
                            folder / "confusion_matrix.png")) {
    names.push_back("confusion_matrix.png");
  }
  if (plot_reliability(found.clean.reliability, result.metrics.at("ece"), result.metrics.at("ece_if_calibrated"),
                       "Reliability: " + subject, folder / "reliability.png")) {
    names.push_back("reliability.png");
  }
  return names;
}

/// "accuracy 69.2 % (…)", after an attack with the worst case at the largest eps.
std::string result_line(const Findings& found) {
  std::string line = "accuracy " + format_proportion(found.result.metrics.at("accuracy"));
  if (!found.robustness) return line;
  return line + fmt::format("; robust accuracy at {} eps {}{}: {}", to_string(found.robustness->plan.norm),
                            found.ladder().back().text, restriction_clause(restrictions_of(found.result.threat_model)),
                            format_proportion(found.robustness->figures.worst.robust_accuracy.back()));
}

/// As `parts.groups` has them; none where none were asked for.
std::vector<PrintedTable> tables_of_groups(const Result& result) {
  if (!result.parts.contains("groups")) return {};
  return group_tables(result.parts["groups"][result.model_name()],
                      restriction_clause(restrictions_of(result.threat_model)));
}

void print_findings(const Settings& settings, const Findings& found, const LabelSet& classes) {
  const Result& result = found.result;
  if (settings.show.json) return print_text("{}", format_result(result));
  if (settings.show.line_alone()) return print_text("{}\n", result_line(found));
  std::vector<PrintedTable> tables{figures(result), figures_by_class(found.clean), confusion(found.clean, classes)};
  auto groups = tables_of_groups(result);
  if (!settings.show.text()) {
    tables.front().title = "Accuracy and calibration";
    if (found.robustness)
      for (auto& table : robustness_tables(result, *found.robustness)) tables.push_back(std::move(table));
    for (auto& table : groups) tables.push_back(std::move(table));
    return settings.show.print(tables);
  }
  print_text("{} ({}) on {}, split {}: {} images\n", printable(result.model().at("model").get<std::string>()),
             result.model().at("arch").get<std::string>(), printable(result.dataset.at("name").get<std::string>()),
             result.dataset.at("split").get<std::string>(), result.n);
  print_text("Accuracy on test set: {:.0f}%\n\n", 100 * result.metrics.at("accuracy").value);
  settings.show.print(tables);
  print_text("\n  {:.0f} images/s\n", result.timing.at("images_per_second"));
  if (found.robustness) print_robustness(result, *found.robustness);
  if (!groups.empty()) {
    print_text("\n");
    settings.show.print(groups);
  }
}

Findings evaluate_clean(const Settings& settings, const OptionSet& options, const Checkpoint& checkpoint,
                        const Classifier& classifier, const Dataset& all, const Dataset& evaluated,
                        const Predictions& predictions) {
  CleanFigures clean = clean_figures(predictions, evaluated, settings.runtime.seed);
  const std::string left_out = why_not_deduplicated(all, all.resolve_split(settings.data.split));
  if (left_out.empty()) {
    const Metric metric = deduplicated_accuracy(predictions, evaluated, all.only(Split::Training));
    if (metric.n > 0) clean.metrics["accuracy_deduplicated"] = metric;
  }
  nlohmann::json model = describe_model(checkpoint, settings.model.model);
  model["precision"] = to_string(classifier.precision());
  Result result = summarise(clean, predictions, evaluated, std::move(model));
  result.command = "eval";
  result.seed = settings.runtime.seed;
  result.options = recorded_options(options);
  result.dataset = describe_dataset(evaluated, settings.data.split_name(all));
  for (const auto& warning : checkpoint.warnings) result.add_warning(warning);
  if (!left_out.empty()) result.add_warning(left_out);
  for (const auto& line : clean.warnings.value_or(std::vector<std::string>())) result.add_warning(line);
  return {std::move(result), std::move(clean), {}};
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
  const Classifier classifier = settings.model.classifier(checkpoint, settings.runtime);
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
  Findings found = evaluate_clean(settings, options, checkpoint, classifier, all, evaluated, predictions);
  Result& result = found.result;
  auto& robustness = found.robustness;
  if (settings.robustness.wanted()) {
    const RobustnessSubject attacked = subject();
    const auto search_precision = to_string(attacked.classifier.precision());
    result.models.front()["search_precision"] = search_precision;  // of attacks that allow it
    robustness = run_robustness(settings.robustness, attacked, search, settings.out, work.division());
    add_to_result(result, &*robustness, classifier.classes());
    save_if_wanted(settings.robustness, *robustness, evaluated,
                   {{"model", settings.model.model},
                    {"model_digest", checkpoint.digest},
                    {"data", evaluated.name},
                    {"split", settings.data.split_name(all)},
                    {"limit", settings.data.limit},
                    {"tta", settings.model.tta}});
  }

  add_group_part(result.parts, result.outcomes, groups, result.seed);
  print_findings(settings, found, classifier.classes());
  if (place) {
    const auto names = write_files(found, classifier.classes(), place->work());
    place->complete();
    inform(fmt::format("written to {}: {}", settings.out, join(names, ", ")));
  }
  return robustness ? exit_code(settings.robustness, *robustness) : 0;
}

int run(const std::vector<std::string>& arguments) {
  Settings settings;
  OptionSet options("eval", "", "Measure accuracy, calibration and robustness of a model on labelled images.");
  declare(options, settings);
  if (!options.parse(arguments)) return 0;
  settings.robustness.attack.trust_code = settings.model.trust_code;
  settings.robustness.check(options, settings.out);
  require_other_file("fercli eval: --save-adv", settings.robustness.save_adv, settings.data.data);
  settings.show.begin(options);
  DividedWork work(settings.robustness.division, words_of("eval", arguments), settings.out);
  prepare_machine(settings.robustness.division.shared(settings.runtime));
  return work.run([&](DividedWork& divided) { return evaluate(settings, options, divided); });
}

const Register<Command> registered{{"eval", "measure accuracy, calibration and robustness of a model", run}};

}  // namespace

}  // namespace fercli::eval_command
