#include "commands/eval_groups.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/observer.hpp"
#include "core/options.hpp"
#include "eval/groups.hpp"

namespace fercli {

namespace {

constexpr const char* kOfData = "data";  // those that the data set carries

PrintedTable column_table(const GroupColumnFigures& column) {
  PrintedTable table{fmt::format("By {} (%, 95 % CI{})", column.column,
                                 column.unknown == 0 ? "" : fmt::format("; {} images of no group", column.unknown)),
                     {"group", "images", "accuracy"},
                     {}};
  for (const auto& group : column.groups) {
    table.rows.push_back({group.group, group.accuracy.n, share_cell(group.accuracy)});
    for (const auto& [eps, accuracy] : group.robust) {
      if (table.rows.size() == 1) table.columns.push_back("robust, eps " + eps);
      PrintedCell cell = share_cell(accuracy);
      if (accuracy.n != group.accuracy.n) cell.text += fmt::format(", n = {}", accuracy.n);  // fewer have the goal
      table.rows.back().push_back(std::move(cell));
    }
  }
  return table;
}

PrintedTable gap_table(const GroupComparison& groups) {
  PrintedTable table{fmt::format("Largest gaps between groups of at least {} images", groups.fewest),
                     {"groups", "of", "worst", "best", "gap (points, 95 % CI)", "test", "p", "p (Holm)"},
                     {}};
  const auto figure = [](double p) { return figure_cell(fmt::format("{:.2g}", p)); };
  for (const auto& column : groups.columns) {
    for (const auto& gap : column.gaps) {
      table.rows.push_back({column.column, gap.eps.empty() ? "accuracy" : "robust, eps " + gap.eps, gap.worst, gap.best,
                            share_cell(gap.difference), gap.test, figure(gap.p), figure(gap.p_holm)});
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

std::vector<PrintedTable> group_tables(const nlohmann::json& part, const std::string& threat) {
  const auto groups = Shape<GroupComparison>::read(part);
  std::vector<PrintedTable> tables;
  for (const auto& column : groups.columns) tables.push_back(column_table(column));
  if (auto gaps = gap_table(groups); !gaps.rows.empty()) tables.push_back(std::move(gaps));
  for (auto& table : tables) table.title += threat;
  return tables;
}

}  // namespace fercli
