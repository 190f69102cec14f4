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

struct Comparisons {
  std::vector<Comparison> comparisons;
};

template <class Visitor>
void visit_fields(Visitor& field, Comparisons& found) {
  field.constant("schema", kSchema, "");
  field("comparisons", found.comparisons);
}

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
std::string points(const Metric& difference) {
  return fmt::format("{:+.1f} ({:+.1f} to {:+.1f})", 100 * difference.value, 100 * difference.interval.low,
                     100 * difference.interval.high);
}

bool differs(const PairedTest& test) {
  return test.settings_differ.value_or(false);
}

std::string heading(const Comparison& comparison) {
  return fmt::format("{} against {}: {} images in common", comparison.first, comparison.second, comparison.images);
}

PrintedTable table_of(const Comparison& comparison) {
  PrintedTable table{
      heading(comparison),
      {"(%, 95 % CI)", "n", "first", "second", "difference", "only first", "only second", "p", "p, Holm", ""},
      {}};
  for (const auto& test : comparison.tests) {
    const PairedFigures& found = test.figures;
    PrintedCell difference = figure_cell(points(found.difference));
    difference.metric = found.difference;
    table.rows.push_back({test.condition, found.difference.n, share_cell(found.first), share_cell(found.second),
                          difference, found.images.only_first, found.images.only_second,
                          figure_cell(fmt::format("{:.2g}", found.p)), figure_cell(fmt::format("{:.2g}", test.p_holm)),
                          (test.p_holm < kLevel ? "*" : "") + std::string(differs(test) ? " †" : "")});
  }
  return table;
}

/// How many of the tests tell the two apart, and the first of them.
std::string result_line(const Comparison& comparison) {
  const auto& tests = comparison.tests;
  if (tests.empty()) return heading(comparison) + "; no test: they were not measured under the same condition";
  const auto apart =
      std::count_if(tests.begin(), tests.end(), [](const PairedTest& test) { return test.p_holm < kLevel; });
  return fmt::format("{}; {} of {} tests tell them apart; {}: difference {} points, p {:.2g} (Holm)",
                     heading(comparison), apart, tests.size(), tests[0].condition, points(tests[0].figures.difference),
                     tests[0].p_holm);
}

void print(const Comparison& comparison, const PrintedTable& table) {
  write_stdout(format_tables({table}, "text"));
  const auto& tests = comparison.tests;
  print_text("  exact McNemar tests; * p below {:g} after Holm's correction for the {} tests\n", kLevel, tests.size());
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
  Comparisons found;
  std::vector<PrintedTable> tables;
  for (size_t i = 0; i < subjects.size(); ++i) {
    for (size_t j = i + 1; j < subjects.size(); ++j) {
      const Subject &a = subjects[i], &b = subjects[j];
      Comparison comparison = compare_models(reports[a.report], a.model, reports[b.report], b.model);
      comparison.first = a.name;
      comparison.second = b.name;
      tables.push_back(table_of(comparison));
      if (settings.show.line_alone()) {
        print_text("{}\n", printable(result_line(comparison)));
      } else if (settings.show.text()) {
        print(comparison, tables.back());
      }
      found.comparisons.push_back(std::move(comparison));
    }
  }
  const std::string text = pretty_json(write_record(found)) + "\n";
  if (settings.show.json) print_text("{}", text);
  if (!settings.show.json && !settings.show.text()) settings.show.print(tables);
  if (lock) write_file(settings.out.path, text);
  return 0;
}

const Register<DocumentKind> document{{"comparison", "--out and --json of compare", schema_of_record<Comparisons>}};

const Register<Command> registered{{"compare", "paired tests between models on the same images", run}};

}  // namespace

}  // namespace fercli::compare_command
