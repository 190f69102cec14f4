#include "commands/explanation_tables.hpp"

#include <fmt/format.h>

#include "core/options.hpp"
#include "eval/explanation.hpp"

namespace fercli {

namespace {

std::vector<PrintedCell> stage_row(const StageReport& report) {
  return {report.attack,
          report.eps,
          report.stage,
          report.images,
          report.broken,
          report.forward,
          report.backward,
          figure_cell(fmt::format("{:.1f}", report.forward_each())),
          figure_cell(fmt::format("{:.1f}", report.backward_each()))};
}

}  // namespace

void declare_explain(OptionSet& options, bool* explain) {
  options.flag(
      "explain", explain,
      "which attack, and which stage of it, broke how many images at which cost, in passes through the network");
}

PrintedTable stage_table(const Result& result, const std::string& subject) {
  PrintedTable table{
      subject + "what each stage broke, and its cost in network passes",
      {"attack", "eps", "stage", "images", "broken", "forward", "backward", "forward/image", "backward/image"},
      {}};
  const auto stages = Shape<std::vector<StageReport>>::read(result.tables.at("stages"));
  for (size_t begin = 0, end = 0; begin < stages.size(); begin = end) {
    StageReport all = stages[begin];
    table.rows.push_back(stage_row(all));
    for (end = begin + 1; end < stages.size(); ++end) {
      const StageReport& next = stages[end];
      if (next.attack != all.attack || next.eps != all.eps) break;
      table.rows.push_back(stage_row(next));
      all.broken += next.broken;
      all.forward += next.forward;
      all.backward += next.backward;
    }
    all.stage = "all";
    if (end > begin + 1) table.rows.push_back(stage_row(all));
  }
  return table;
}

PrintedTable optimality_table(const Result& result) {
  PrintedTable table{"optimality of minimum-norm attacks (1: the best of all on every image)", {"attack", ""}, {}};
  if (!result.tables.contains("optimality")) return table;
  for (const auto& entry : Shape<std::vector<AttackOptimality>>::read(result.tables.at("optimality"))) {
    table.rows.push_back({entry.attack, score_cell(entry.optimality)});
  }
  return table;
}

}  // namespace fercli
