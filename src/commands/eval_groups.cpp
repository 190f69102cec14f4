#include "commands/eval_groups.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/observer.hpp"
#include "core/options.hpp"
#include "eval/groups.hpp"

namespace fercli {

namespace {

constexpr const char* kOfData = "data";  // those that the data set carries

GroupQuantity clean_quantity(const Predictions& predictions, const Dataset& evaluated) {
  const auto right = predicted_classes(predictions.probabilities).eq(evaluated.labels).to(torch::kInt64).contiguous();
  return {"", {right.data_ptr<int64_t>(), right.data_ptr<int64_t>() + right.numel()}};
}

/// What all attacks together leave at each eps, of the images that were attacked.
void add_robust_quantities(std::vector<GroupQuantity>& quantities, const RobustnessRun& run, int64_t images) {
  const Ledger& ledger = run.robustness;
  const AttackRecord worst = ledger.worst();
  for (size_t budget = 0; budget < run.plan.ladder.size(); ++budget) {
    GroupQuantity quantity{run.plan.ladder[budget].text, std::vector<int64_t>(static_cast<size_t>(images), -1)};
    const auto robust = ledger.answers(worst, static_cast<int64_t>(budget)).eq(ledger.labels);
    for (size_t i = 0; i < ledger.rows.size(); ++i) {
      quantity.right.at(static_cast<size_t>(ledger.rows[i])) = robust[static_cast<int64_t>(i)].item<bool>() ? 1 : 0;
    }
    quantities.push_back(std::move(quantity));
  }
}

PrintedTable column_table(const nlohmann::json& column) {
  const auto unknown = column.at("unknown").get<int64_t>();
  PrintedTable table{fmt::format("By {} (%, 95 % CI{})", column.at("column").get<std::string>(),
                                 unknown == 0 ? "" : fmt::format("; {} images of no group", unknown)),
                     {"group", "images", "accuracy"},
                     {}};
  for (const auto& group : column.at("groups")) {
    table.rows.push_back({group.at("group").get<std::string>(), group.at("n").get<int64_t>(),
                          share_cell(metric_from_json(group.at("accuracy")))});
    for (const auto& at_eps : group.at("robust")) {
      if (table.rows.size() == 1) table.columns.push_back("robust, eps " + at_eps.at("eps").get<std::string>());
      table.rows.back().push_back(share_cell(metric_from_json(at_eps.at("accuracy"))));
    }
  }
  return table;
}

PrintedTable gap_table(const nlohmann::json& groups) {
  PrintedTable table{
      fmt::format("Largest gaps between groups of at least {} images", groups.at("fewest").get<int64_t>()),
      {"groups", "of", "worst", "best", "gap (points, 95 % CI)", "test", "p", "p (Holm)"},
      {}};
  for (const auto& column : groups.at("columns")) {
    for (const auto& gap : column.at("gaps")) {
      const auto eps = gap.at("eps").get<std::string>();
      const auto figure = [&](const char* name) {
        return figure_cell(fmt::format("{:.2g}", gap.at(name).get<double>()));
      };
      table.rows.push_back({column.at("column").get<std::string>(), eps.empty() ? "accuracy" : "robust, eps " + eps,
                            gap.at("worst").get<std::string>(), gap.at("best").get<std::string>(),
                            share_cell(metric_from_json(gap.at("difference"))), gap.at("test").get<std::string>(),
                            figure("p"), figure("p_holm")});
    }
  }
  return table;
}

}  // namespace

void GroupOptions::declare(OptionSet& options) {
  options.text(
      "groups", &source, "FILE.csv",
      "accuracy, and where attacks run robust accuracy, of groups of images: a table with a column id or file and "
      "any others (skin tone, glasses, site); data: those that the data carries, as drawn faces do");
}

std::vector<GroupColumn> GroupOptions::load(const Dataset& evaluated) const {
  if (source.empty()) return {};
  if (source != kOfData) return read_groups(source, evaluated.ids, ProgressObserver::terminal());
  if (evaluated.groups.empty()) {
    throw UserError(fmt::format("--groups data: {} says nothing of groups; give a FILE.csv with a column id or file",
                                evaluated.name));
  }
  return evaluated.groups;
}

void add_groups(Result& result, const std::vector<GroupColumn>& groups, const Predictions& predictions,
                const Dataset& evaluated, const std::optional<RobustnessRun>& robustness) {
  if (groups.empty()) return;
  std::vector<GroupQuantity> quantities{clean_quantity(predictions, evaluated)};
  if (robustness) add_robust_quantities(quantities, *robustness, evaluated.size());
  result.parts["groups"][result.model_name()] = compare_groups(groups, quantities, result.seed);
}

std::vector<PrintedTable> group_tables(const nlohmann::json& groups) {
  std::vector<PrintedTable> tables;
  for (const auto& column : groups.at("columns")) tables.push_back(column_table(column));
  if (auto gaps = gap_table(groups); !gaps.rows.empty()) tables.push_back(std::move(gaps));
  return tables;
}

}  // namespace fercli
