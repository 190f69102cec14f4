// fercli report: one page about how good, how sure, how fragile a network is, and whether the figures can be trusted.
#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "commands/eval_groups.hpp"
#include "commands/options/attack_options.hpp"
#include "commands/options/data_options.hpp"
#include "commands/options/division_options.hpp"
#include "commands/options/show_options.hpp"
#include "core/command.hpp"
#include "core/error.hpp"
#include "core/escape.hpp"
#include "core/file_name.hpp"
#include "core/files.hpp"
#include "core/json_text.hpp"
#include "core/observer.hpp"
#include "core/options.hpp"
#include "core/output_folder.hpp"
#include "core/runtime.hpp"
#include "eval/campaign/estimate.hpp"
#include "eval/result.hpp"
#include "eval/robustness_summary.hpp"
#include "eval/study/group_part.hpp"
#include "eval/study/part.hpp"
#include "eval/study/saved.hpp"
#include "eval/vulnerability.hpp"
#include "record/fields.hpp"
#include "record/message.hpp"
#include "report/report.hpp"
#include "report/session.hpp"
#include "report/training_log.hpp"

namespace fercli::report_command {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// The options that say how results look or how the program runs, not what is measured.
const std::vector<std::string> kRendering{"out",    "lang",    "include-images", "json",     "format", "quiet",
                                          "config", "threads", "precision",      "executor", "device", "processes"};

struct Settings {
  std::vector<std::string> files;
  ModelOptions model;
  DataOptions data;
  GroupOptions groups;
  bool quick = false, full = false;
  std::string parts, eps, out = "out/report", cache;
  double at = 4 / 255.0;
  RenderOptions render;
  ShowOptions show;
  int64_t batch_size = 64;
  Runtime runtime;
  DivisionOptions division;
};

/// "smoothing (images, draws)"
std::vector<std::string> parts_with_parameters() {
  std::vector<std::string> parts;
  for (const auto& part : Registry<StudyPart>::instance().all()) {
    std::vector<std::string> names;
    for (const auto& parameter : part.parameters) names.push_back(parameter.name);
    parts.push_back(names.empty() ? part.name : fmt::format("{} ({})", part.name, join(names, ", ")));
  }
  return parts;
}

void declare(OptionSet& options, Settings& s) {
  options.positional(&s.files, 0, 64);
  options.section("What to measure");
  s.model.declare(options);
  s.data.declare(options);
  s.data.declare_split(options);
  options.flag(
      "quick", &s.quick,
      fmt::format("{} images unless --limit says otherwise, small budgets: minutes (the default)", kQuickImages));
  options.flag("full", &s.full, "all images and full budgets; says first how long that takes");
  options.text("parts", &s.parts, "PART,…",
               fmt::format("only these: {}; in brackets what may follow, as in smoothing:draws=500,images=40",
                           join(parts_with_parameters(), ", ")));
  for (const auto& part : Registry<StudyPart>::instance().all()) options.parameters(part.name, part.parameters);
  s.groups.declare(options);
  options.text("eps", &s.eps, "EPS,…", "Linf eps grid, ascending, pixels in [0,1]; without it 1/255,2/255,4/255,8/255");
  options.number("at", &s.at, "4/255", Range{0, 1, true},
                 "the eps of the emotion map, transfer, calibration under attack and gallery");
  options.parameter(Parameter::whole("autoattack-images", "-1", at_least(-1),
                                     "AutoAttack on this many; 0: all; -1: 60 quick, 500 full"));
  options.parameter(
      Parameter::whole("smoothing-images", "-1", at_least(-1), "certify this many; 0: all; -1: 50 quick, 200 full"));
  options.parameter(Parameter::whole("smoothing-draws", "-1", Range{-1, 1e6},
                                     "noisy copies of each that certify it; -1: 200 quick, 1000 full"));
  s.division.declare_shard(options);
  s.model.declare_foreign(options);
  s.model.declare_space(options);
  options.section("Output");
  options.text("out,o", &s.out, "DIR",
               "report.html, report.md, report.json, figures/, and cache/, from which a later or an interrupted run "
               "goes on");
  options.text("cache", &s.cache, "DIR", "keep the measurements there instead, for several reports");
  options.only_by_hand();
  options.choice("lang", &s.render.language, {"en", "fr"}, "language of the report");
  options.flag("include-images", &s.render.include_images,
               "show pictures of the data set too; without it drawn faces only");
  s.show.declare(options, "print report.json, and nothing else");
  options.integer("batch-size,b", &s.batch_size, at_least(1), "images per network call; changes no figure");
  s.model.declare_runtime(options, &s.runtime);
  s.division.declare_processes(options);
}

/// What --parts names, its parameters checked.
std::vector<Chosen> chosen_parts(const OptionSet& options) {
  try {
    auto all = parse_chosen(options.as_given("parts"));
    for (const auto& chosen : all) Values(Registry<StudyPart>::instance().get(chosen.name).parameters, chosen.given);
    return all;
  } catch (const std::invalid_argument& error) {
    options.fail("parts", error.what());
  }
}

/// `eps` as the grid of everything that has one.
void set_ladder(StudyPlan& plan, const std::string& eps) {
  plan.ladder = parse_ladder(eps, Norm::Linf);
  std::vector<Budget> kept;
  const double least = plan.autoattack_ladder.front().eps;
  for (const auto& budget : plan.ladder) {
    if (plan.mode == "full" || budget.eps >= least) kept.push_back(budget);
  }
  plan.autoattack_ladder = kept.empty() ? std::vector<Budget>{plan.ladder.back()} : kept;
}

/// The parts and how much each measures.
void choose_parts(StudyPlan& plan, const OptionSet& options) {
  std::map<std::string, Given> named;
  for (const auto& chosen : chosen_parts(options)) {
    plan.parts.push_back(chosen.name);
    named[chosen.name] = chosen.given;
  }
  for (const auto& part : Registry<StudyPart>::instance().all())
    plan.given[part.name] = options.gather(part.name, part.parameters, named[part.name], part.name + "-");
}

StudyPlan plan_of(const Settings& s, const OptionSet& options) {
  StudyPlan plan = s.full ? StudyPlan::full() : StudyPlan::quick();
  choose_parts(plan, options);
  if (!s.eps.empty()) set_ladder(plan, s.eps);
  plan.at = {options.as_given("at"), s.at};
  if (const double most = VulnerabilityOptions().max_eps; plan.wants("vulnerability") && s.at > most) {
    options.fail("at", fmt::format("must be at most {} for the part vulnerability, which --parts can leave out",
                                   format_eps(most, Norm::Linf)));
  }
  if (!s.groups.source.empty() && !plan.wants("clean"))
    options.fail("groups", "needs the part clean, which --parts leaves out");
  plan.include_images = s.render.include_images;
  plan.seed = s.runtime.seed;
  plan.batch_size = s.batch_size;
  return plan;
}

void check(const Settings& s, const OptionSet& options) {
  if (s.quick && s.full) throw UserError("fercli report: --quick and --full: give one of them, not both");
  chosen_parts(options);
  if (s.files.empty()) return;
  const json all = options.provenance();
  for (const auto& option : all.items()) {
    const auto& name = option.key();
    const bool renders = std::find(kRendering.begin(), kRendering.end(), name) != kRendering.end();
    if (!renders && options.given(name)) options.fail(name, "does not go with saved results, which are only rendered");
  }
}

/// Drawn faces in the form that this model wants, of the classes that it knows: there may be none.
Dataset drawn_faces(const ModelOptions& model, const Checkpoint& checkpoint) {
  const auto shipped = find_shipped("faces");
  ReadOptions read;
  model.fit(read, checkpoint);
  Dataset faces = read_dataset(shipped.empty() ? "synthetic:n=70,seed=1" : shipped.string(), read);
  if (!shipped.empty()) faces.name = "shipped faces";
  return faces.recoded(checkpoint.classes, checkpoint.classes.mapping_from(faces.classes));
}

/// Models and images, and what the report says about their source.
struct Sources {
  std::vector<StudyModel> models;
  json dataset;
  json histories = json::object();  ///< of the training, where they are kept
  std::vector<Message> warnings;
  std::optional<std::vector<int64_t>> unseen;
};

/// What may have been learnt by heart: images of Training, and copies of them elsewhere.
void look_for_training_images(Sources& sources, const Dataset& evaluated, const Dataset& all) {
  const auto learnt = std::count(evaluated.splits.begin(), evaluated.splits.end(), Split::Training);
  if (learnt > 0) {
    sources.warnings.push_back(Message::of("training-images", learnt, evaluated.size()));
  }
  if (all.has(Split::Training)) {
    sources.unseen = evaluated.rows_not_in(all.only(Split::Training));
  } else {
    sources.warnings.push_back(Message::of("no-training-images"));
  }
}

Sources load(const Settings& s, const OptionSet& options) {
  Sources sources;
  std::vector<std::string> taken;
  DataOptions data = s.data;
  if (!s.full && !options.given("limit")) data.limit = kQuickImages;
  const auto words = model_names(s.model.model);
  for (const auto& word : words) {
    ModelOptions model = s.model;
    model.model = word;
    const Checkpoint checkpoint = model.load();
    Runtime judge = s.runtime;
    judge.precision = "fp32";
    const Classifier classifier = make_classifier(checkpoint, judge);
    const Dataset all = data.read(model, checkpoint);
    Dataset images = data.part(all);
    if (sources.models.empty()) {
      sources.dataset = describe_dataset(images, data.split_name(all));
      look_for_training_images(sources, images, all);
    }
    const std::string name = unused_name(short_model_name(word), taken);
    taken.push_back(name);
    const auto history = history_beside(resolve_model(word));
    if (!history.empty()) sources.histories[name] = read_history(history);
    sources.models.push_back({name, describe_model(checkpoint, word), checkpoint.digest, classifier,
                              classifier.with_precision(resolve_precision(s.runtime)), std::move(images),
                              drawn_faces(model, checkpoint), checkpoint.warnings});
  }
  return sources;
}

fs::path cache_of(const Settings& s) {
  return s.cache.empty() ? fs::path(s.out) / "cache" : fs::path(s.cache);
}

/// Null where this process has no results.
json measure(const Settings& s, const OptionSet& options, DividedWork& work) {
  StudyPlan plan = plan_of(s, options);
  const Sources sources = load(s, options);
  const auto groups = s.groups.load(sources.models.front().images);
  plan.unseen = sources.unseen;
  ProgressObserver observer("Measuring");
  if (s.division.estimate) {
    const auto cost = estimate_study(sources.models, plan, cache_of(s), observer);
    print_text("estimated from {} images per model: {}\n", cost.sampled,
               describe_cost(cost.seconds, cost.serial, at::get_num_threads()));
    return {};
  }
  json report = run_study(sources.models, plan, cache_of(s), observer,
                          work.division(work.ledgers_only() ? study_identity(sources.models, plan) : json::object()));
  if (report.is_null()) return report;
  add_group_part(report["parts"], Shape<std::map<std::string, ImageOutcomes>>::read(report["outcomes"]), groups,
                 report["seed"].get<uint64_t>());
  report["dataset"] = sources.dataset;
  report["options"] = recorded_options(options);
  if (!sources.histories.empty()) report["parts"]["learning_curves"] = sources.histories;
  for (const auto& message : sources.warnings) report["warnings"].push_back(Shape<Message>::write(message));
  return report;
}

json read_all(const std::vector<std::string>& files) {
  std::vector<json> reports;
  reports.reserve(files.size());
  for (const auto& file : files) reports.push_back(read_report(file));
  return merge_reports(reports);
}

/// What a part says of a model; null where the part or the model is missing from it.
const json* find_part(const json& report, const char* part, const std::string& model) {
  const json& parts = report.at("parts");
  if (!parts.contains(part) || !parts[part].contains(model)) return nullptr;
  return &parts[part][model];
}

/// What sets the attacks on a model apart, as `restriction_clause` says it.
std::string threat_of(const json& report, const std::string& model) {
  if (!report.contains("outcomes") || !report["outcomes"].contains(model)) return "";
  const json& outcomes = report["outcomes"][model];
  const bool attacked = outcomes.contains("attacks") && !outcomes["attacks"].empty();
  return attacked ? restriction_clause(Shape<Restrictions>::read(outcomes["attacks"][0])) : "";
}

/// Robust accuracy: a row for each attack, a column for each eps of its grid, and n.
PrintedTable robust_accuracy(const std::string& title, const json& eps) {
  PrintedTable table{title, {""}, {}};
  for (const auto& size : eps) table.columns.push_back("eps " + size.get<std::string>());
  table.columns.push_back("n");
  return table;
}

void add_curve(PrintedTable& table, const std::string& name, const json& values) {
  table.rows.push_back({name});
  for (const auto& value : values) table.rows.back().push_back(share_cell(metric_from_json(value)));
  table.rows.back().push_back(values.at(0).at("n").get<int64_t>());
}

/// Of a session: nothing was measured, and there is nothing to measure.
int report_session(const Settings& s) {
  const auto other = std::find_if_not(s.files.begin(), s.files.end(), is_session_name);
  if (other != s.files.end()) {
    throw UserError(fmt::format("fercli report: {}: does not go with the session {}", *other, s.files.front()));
  }
  OutputFolder place(s.out, "report");
  const json session = read_session(s.files);
  write_session_report(session, s.render, place.work());
  place.complete();
  if (s.show.json) {
    print_text("{}", read_file(fs::path(s.out) / "report.json"));
    return 0;
  }
  PrintedTable people{"", {"person", "first (s)", "last (s)", "in sight (s)", "mostly", "changes"}, {}};
  const auto seconds = [](const json& value) { return figure_cell(fmt::format("{:.1f}", value.get<double>())); };
  for (const auto& person : session.at("people")) {
    people.rows.push_back({person.at("name").get<std::string>(), seconds(person.at("first")),
                           seconds(person.at("last")), seconds(person.at("seconds")),
                           person.at("mostly").get<std::string>(), person.at("changes").get<int64_t>()});
  }
  if (!s.show.quiet) s.show.print({people});
  if (s.show.text()) print_text("written to {}: report.html, report.md, report.json, figures/\n", s.out);
  return 0;
}

/// The figures that a reader looks for first.
std::vector<PrintedTable> summary_of(const json& report) {
  std::vector<PrintedTable> tables;
  PrintedTable clean{"accuracy", {"", ""}, {}};
  for (const auto& model : report.at("models")) {
    const std::string name = model.at("name");
    if (const json* part = find_part(report, "clean", name))
      clean.rows.push_back({name, proportion_cell(metric_from_json(part->at("metrics").at("accuracy")))});
    const json* part = find_part(report, "robustness", name);
    if (part != nullptr && part->contains("attacks")) {
      tables.push_back(robust_accuracy(fmt::format("{}: robust accuracy in {}{} (%, 95 % CI)", name,
                                                   part->at("norm").get<std::string>(), threat_of(report, name)),
                                       part->at("eps")));
      for (const auto& attack : part->at("attacks"))
        add_curve(tables.back(), attack.at("name"), attack.at("robust_accuracy"));
    }
    if (const json* cascade = find_part(report, "autoattack", name)) {
      tables.push_back(robust_accuracy(name + ": AutoAttack (%, 95 % CI)", cascade->at("eps")));
      add_curve(tables.back(), "autoattack", cascade->at("robust_accuracy"));
    }
    if (const json* groups = find_part(report, "groups", name)) {
      for (auto& table : group_tables(*groups, threat_of(report, name))) {
        table.title = name + ": " + table.title;
        tables.push_back(std::move(table));
      }
    }
  }
  if (!clean.rows.empty()) tables.insert(tables.begin(), std::move(clean));
  return tables;
}

/// A line for each model: its accuracy, and at the largest eps that of all attacks together.
void print_lines(const json& report) {
  for (const auto& model : report.at("models")) {
    const std::string name = model.at("name");
    std::vector<std::string> said;
    if (const json* part = find_part(report, "clean", name))
      said.push_back("accuracy " + format_proportion(metric_from_json(part->at("metrics").at("accuracy"))));
    const json* part = find_part(report, "robustness", name);
    if (part != nullptr && part->contains("worst")) {
      said.push_back(fmt::format("robust accuracy at {} eps {}{}: {}", part->at("norm").get<std::string>(),
                                 part->at("eps").back().get<std::string>(), threat_of(report, name),
                                 format_proportion(metric_from_json(part->at("worst").at("robust_accuracy").back()))));
    }
    print_text("{}: {}\n", printable(name), said.empty() ? "measured" : join(said, "; "));
  }
}

void write_and_print(const Settings& s, const json& report, OutputFolder& place) {
  const auto tables = summary_of(report);  // what cannot be shown is found before anything is written
  for (const auto& warning : report.at("warnings")) warn(Shape<Warning>::read(warning).line());
  write_document(report, place.work() / "report.json");
  write_report(report, s.render, place.work(), ProgressObserver::terminal());
  place.complete();
  if (s.show.json) return print_text("{}", read_file(fs::path(s.out) / "report.json"));
  if (s.show.line_alone()) return print_lines(report);
  s.show.print(tables);
  if (s.show.text()) print_text("written to {}: report.html, report.md, report.json, figures/\n", s.out);
}

int run(const std::vector<std::string>& arguments) {
  Settings s;
  OptionSet options(
      "report", "[RESULT.json|SESSION.csv|SESSION.jsonl …]",
      "Measure a model, or several separated by commas, and write the report: accuracy, calibration,\n"
      "robustness, emotion map, corruptions, certificates, checks of the evaluation itself. What was\n"
      "measured before is taken from DIR/cache. With RESULT.json, of `fercli report` or `fercli eval\n"
      "--out`, only the page is written. With a session, of `fercli predict --csv` or `fercli live --csv` or\n"
      "`--jsonl`, the page shows who was in the video when, and with which emotions.");
  declare(options, s);
  if (!options.parse(arguments)) return 0;
  check(s, options);
  s.show.begin(options);
  if (!s.files.empty() && is_session_name(s.files.front())) return report_session(s);
  if (!s.files.empty()) {
    OutputFolder place(s.out, "report");
    write_and_print(s, read_all(s.files), place);
    return 0;
  }
  s.division.check(options, s.out);
  DividedWork work(s.division, words_of("report", arguments), s.out);
  prepare_machine(s.division.shared(s.runtime));
  return work.run([&](DividedWork& divided) {
    std::optional<OutputFolder> place;
    if (divided.has_results()) place.emplace(s.out, "report");
    const json report = measure(s, options, divided);
    if (place) write_and_print(s, report, *place);
    return 0;
  });
}

const Register<Command> registered{{"report", "everything about a model on one page", run}};

}  // namespace

}  // namespace fercli::report_command
