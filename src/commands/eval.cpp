// fercli eval: how good, how well calibrated and how robust a classifier is on labelled images.
#include <cmath>

#include "commands/eval_robustness.hpp"
#include "commands/options/data_options.hpp"
#include "core/command.hpp"
#include "core/error.hpp"
#include "core/escape.hpp"
#include "core/files.hpp"
#include "core/options.hpp"
#include "core/output_folder.hpp"
#include "core/progress.hpp"
#include "core/runtime.hpp"
#include "eval/evaluate.hpp"
#include "report/plots.hpp"

namespace fercli::eval_command {

namespace {

struct Settings {
  ModelOptions model;
  DataOptions data;
  RobustnessOptions robustness;
  std::string tta = "none", out;
  int64_t batch_size = 256;
  bool json = false, quiet = false;
  Runtime runtime;
};

void declare(OptionSet& options, Settings& settings) {
  options.section("What to evaluate");
  settings.model.declare(options);
  settings.data.declare(options);
  settings.data.declare_split(options);
  options.choice("tta", &settings.tta, {"none", "flip", "ten-crop"},
                 "test-time augmentation: logits averaged over views");
  settings.robustness.declare(options);
  settings.model.declare_foreign(options);
  settings.model.declare_space(options);
  options.section("Output");
  options.flag("json", &settings.json, "print the result as JSON, and nothing else, on stdout");
  options.text("out,o", &settings.out, "DIR",
               "write result.json, per_image.csv, confusion_matrix.png and reliability.png; an interrupted run with "
               "--attacks goes on from there");
  options.flag("quiet,q", &settings.quiet, "no progress");
  options.integer("batch-size,b", &settings.batch_size, at_least(1), "images per forward pass; changes no number");
  settings.runtime.precision = "fp32";
  options.runtime(&settings.runtime);
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

/// "0.034 (n = 3589, 95 % CI 0.023–0.045)"; a single image has no interval.
std::string format_score(const Metric& metric) {
  if (!std::isfinite(metric.interval.low)) return fmt::format("{:.3f} (n = {})", metric.value, metric.n);
  return fmt::format("{:.3f} (n = {}, 95 % CI {:.3f}–{:.3f})", metric.value, metric.n, metric.interval.low,
                     metric.interval.high);
}

void print_metrics(const Result& result) {
  const auto& metrics = result.metrics;
  print_text("Accuracy on test set: {:.0f}%\n\n", 100 * metrics.at("accuracy").value);
  print_text("  accuracy             {}\n", format_proportion(metrics.at("accuracy")));
  if (metrics.count("accuracy_deduplicated")) {
    print_text("  not among Training   {}\n", format_proportion(metrics.at("accuracy_deduplicated")));
  }
  print_text("  balanced accuracy    {}\n", format_proportion(metrics.at("balanced_accuracy")));
  print_text("  macro F1             {}\n", format_proportion(metrics.at("macro_f1")));
  print_text("  ECE                  {}\n", format_score(metrics.at("ece")));
  print_text("    if calibrated      {}\n", format_score(metrics.at("ece_if_calibrated")));
  print_text("  Brier score          {}\n", format_score(metrics.at("brier")));
  print_text("  neg. log likelihood  {}\n\n", format_score(metrics.at("nll")));
}

void print_classes(const Result& result) {
  print_text("  {:<10} {:>8} {:>10} {:>21} {:>21} {:>21}   (%, 95 % CI)\n", "class", "images", "predicted", "precision",
             "recall", "F1");
  for (const auto& row : result.per_class) {
    const auto metric = [&](const char* name) { return metric_from_json(row.at(name)); };
    print_text("  {:<10} {:>8} {:>10} {:>21} {:>21} {:>21}\n", row.at("class").get<std::string>(),
               row.at("support").get<int64_t>(), metric("precision").n, format_share(metric("precision")),
               format_share(metric("recall")), format_share(metric("f1")));
  }
}

void print_confusion(const Result& result, const LabelSet& classes) {
  print_text("\n  {:<12}", "true \\ pred.");
  for (const auto& name : classes.names()) print_text(" {:>8}", name);
  print_text("\n");
  size_t k = 0;
  for (const auto& row : result.tables.at("confusion_matrix")) {
    print_text("  {:<12}", classes.names()[k++]);
    for (const auto& count : row) print_text(" {:>8}", count.get<int64_t>());
    print_text("\n");
  }
}

std::string image_csv(const Result& result, const LabelSet& classes) {
  std::string text = "id,label,predicted,correct";
  for (const auto& name : classes.names()) text += "," + csv_field("p_" + name);
  for (const auto& image : result.per_image) {
    const auto label = image.at("label").get<std::string>(), predicted = image.at("predicted").get<std::string>();
    text += fmt::format("\n{},{},{},{:d}", csv_field(image.at("id")), csv_field(label), csv_field(predicted),
                        label == predicted);
    for (const auto& probability : image.at("probabilities")) text += "," + probability.dump();
  }
  return text + "\n";
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

void print_result(const Result& result, const LabelSet& classes) {
  print_text("{} ({}) on {}, split {}: {} images\n", printable(result.model.at("model").get<std::string>()),
             result.model.at("arch").get<std::string>(), printable(result.dataset.at("name").get<std::string>()),
             result.dataset.at("split").get<std::string>(), result.n);
  print_metrics(result);
  print_classes(result);
  print_confusion(result, classes);
  print_text("\n  {:.0f} images/s\n", result.timing.at("images_per_second"));
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
  const Predictions predictions = predict(classifier, evaluated, settings.batch_size);
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

  if (settings.json) print_text("{}", format_result(result));
  if (!settings.json) print_result(result, classifier.classes());
  if (!settings.json && robustness) print_robustness(result, *robustness, classifier.classes());
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
  silence_progress(settings.quiet);
  DividedWork work(settings.robustness.division, words_of("eval", arguments), settings.out);
  prepare_machine(settings.robustness.division.shared(settings.runtime));
  return work.run([&](DividedWork& divided) { return evaluate(settings, options, divided); });
}

const Register<Command> registered{{"eval", "measure accuracy, calibration and robustness of a model", run}};

}  // namespace

}  // namespace fercli::eval_command
