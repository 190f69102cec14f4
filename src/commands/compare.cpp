// fercli compare: is one network really better than another on the same images?
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "commands/options/output_file.hpp"
#include "commands/options/show_options.hpp"
#include "core/command.hpp"
#include "core/error.hpp"
#include "core/escape.hpp"
#include "core/file_name.hpp"
#include "core/files.hpp"
#include "core/json_text.hpp"
#include "core/options.hpp"
#include "eval/measures/metrics.hpp"
#include "eval/result_shapes.hpp"
#include "eval/study/compare.hpp"
#include "eval/study/saved.hpp"
#include "record/document_kind.hpp"

namespace fercli::compare_command {

namespace {

using nlohmann::json;

constexpr double kLevel = 0.05;
constexpr const char* kSchema = "fercli-comparison/1";

struct Settings {
  std::vector<std::string> files;
  OutputFileOption out;
  ShowOptions show;
};

/// One model of one file.
struct Subject {
  size_t report;
  std::string model, name;  ///< in its report, and as shown
};

std::vector<Subject> subjects_of(const std::vector<json>& reports) {
  std::vector<Subject> subjects;
  std::vector<std::string> taken;
  for (size_t i = 0; i < reports.size(); ++i) {
    for (const auto& model : reports[i].at("models")) {
      const std::string name = model.at("name");
      subjects.push_back({i, name, unused_name(name, taken)});
      taken.push_back(subjects.back().name);
    }
  }
  return subjects;
}

/// In percentage points.
std::string points(const json& difference) {
  const Metric metric = metric_from_json(difference);
  return fmt::format("{:+.1f} ({:+.1f} to {:+.1f})", 100 * metric.value, 100 * metric.interval.low,
                     100 * metric.interval.high);
}

bool differs(const json& test) {
  return test.value("settings_differ", false);
}

std::string heading(const json& comparison) {
  return fmt::format("{} against {}: {} images in common", comparison.at("first").get<std::string>(),
                     comparison.at("second").get<std::string>(), comparison.at("images").get<int64_t>());
}

PrintedTable table_of(const json& comparison) {
  PrintedTable table{
      heading(comparison),
      {"(%, 95 % CI)", "n", "first", "second", "difference", "only first", "only second", "p", "p, Holm", ""},
      {}};
  for (const auto& test : comparison.at("tests")) {
    PrintedCell difference = figure_cell(points(test.at("difference")));
    difference.metric = metric_from_json(test.at("difference"));
    table.rows.push_back(
        {test.at("condition").get<std::string>(), test.at("n").get<int64_t>(),
         share_cell(metric_from_json(test.at("first"))), share_cell(metric_from_json(test.at("second"))), difference,
         test.at("only_first").get<int64_t>(), test.at("only_second").get<int64_t>(),
         figure_cell(fmt::format("{:.2g}", test.at("p").get<double>())),
         figure_cell(fmt::format("{:.2g}", test.at("p_holm").get<double>())),
         (test.at("p_holm").get<double>() < kLevel ? "*" : "") + std::string(differs(test) ? " †" : "")});
  }
  return table;
}

/// How many of the tests tell the two apart, and the first of them.
std::string result_line(const json& comparison) {
  const json& tests = comparison.at("tests");
  if (tests.empty()) return heading(comparison) + "; no test: they were not measured under the same condition";
  const auto apart = std::count_if(tests.begin(), tests.end(),
                                   [](const json& test) { return test.at("p_holm").get<double>() < kLevel; });
  const json& first = tests.at(0);
  return fmt::format("{}; {} of {} tests tell them apart; {}: difference {} points, p {:.2g} (Holm)",
                     heading(comparison), apart, tests.size(), first.at("condition").get<std::string>(),
                     points(first.at("difference")), first.at("p_holm").get<double>());
}

void print(const json& comparison, const PrintedTable& table) {
  write_stdout(format_tables({table}, "text"));
  print_text("  exact McNemar tests; * p below {:g} after Holm's correction for the {} tests\n", kLevel,
             comparison.at("tests").size());
  const json& tests = comparison.at("tests");
  if (std::any_of(tests.begin(), tests.end(), differs)) {
    print_text("  † the attack's settings (steps, restarts, …) differ between the two results\n");
  }
}

int run(const std::vector<std::string>& arguments) {
  Settings settings;
  OptionSet options("compare", "A.json B.json …",
                    "Paired tests between models on the same images: results of `fercli eval` or `fercli report`. One\n"
                    "file with several models will do; of more than two models every pair is compared.");
  options.positional(&settings.files, 1, 64);
  options.section("Output");
  settings.show.declare(options, "print the comparisons as JSON, and nothing else");
  settings.out.declare(options, "FILE", "write them there as JSON");
  if (!options.parse(arguments)) return 0;
  settings.show.begin(options);
  std::optional<OutputLock> lock;
  for (const auto& file : settings.files) require_other_file("fercli compare: --out", settings.out.path, file);
  if (!settings.out.path.empty()) lock.emplace(settings.out.take(options));

  std::vector<json> reports;
  for (const auto& file : settings.files) reports.push_back(read_report(file));
  const auto subjects = subjects_of(reports);
  if (subjects.size() < 2) {
    throw UserError(fmt::format("fercli compare: {}: has one model; give a second file to compare it with",
                                settings.files.front()));
  }
  auto comparisons = json::array();
  std::vector<PrintedTable> tables;
  for (size_t i = 0; i < subjects.size(); ++i) {
    for (size_t j = i + 1; j < subjects.size(); ++j) {
      const Subject &a = subjects[i], &b = subjects[j];
      json comparison = compare_models(reports[a.report], a.model, reports[b.report], b.model);
      comparison["first"] = a.name;
      comparison["second"] = b.name;
      tables.push_back(table_of(comparison));
      if (settings.show.line_alone()) {
        print_text("{}\n", printable(result_line(comparison)));
      } else if (settings.show.text()) {
        print(comparison, tables.back());
      }
      comparisons.push_back(std::move(comparison));
    }
  }
  const std::string text = pretty_json({{"schema", kSchema}, {"comparisons", comparisons}}) + "\n";
  if (settings.show.json) print_text("{}", text);
  if (!settings.show.json && !settings.show.text()) settings.show.print(tables);
  if (lock) write_file(settings.out.path, text);
  return 0;
}

json schema() {
  using namespace shape;
  const json metric = Shape<Metric>::schema();
  const json test = object({{"condition", described(text(), "clean, or attack, norm and eps")},
                            {"n", whole()},
                            {"both", described(whole(), "images that both networks get right")},
                            {"only_first", whole()},
                            {"only_second", whole()},
                            {"neither", whole()},
                            {"first", metric},
                            {"second", metric},
                            {"difference", metric},
                            {"p", described(number(), "exact McNemar")},
                            {"p_holm", described(number(), "after Holm's correction for the tests of this list")}},
                           {{"settings_differ", flag()}});
  const json comparison = object({{"first", text()},
                                  {"second", text()},
                                  {"images", described(whole(), "that both were measured on")},
                                  {"tests", list(test)}});
  return object({{"schema", constant(kSchema)}, {"comparisons", list(comparison)}});
}

const Register<DocumentKind> document{{"comparison", "--out and --json of compare", schema}};

const Register<Command> registered{{"compare", "paired tests between models on the same images", run}};

}  // namespace

}  // namespace fercli::compare_command
