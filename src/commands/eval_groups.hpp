#pragma once

#include <optional>
#include <string>
#include <vector>

#include "commands/eval_robustness.hpp"
#include "data/groups.hpp"
#include "eval/evaluate.hpp"

namespace fercli {

class OptionSet;

/// --groups of `fercli eval` and `fercli report`: for whom a network fails.
struct GroupOptions {
  std::string source;

  void declare(OptionSet& options);

  /// The groups of these images; none where the option is not given. Throws UserError.
  std::vector<GroupColumn> load(const Dataset& evaluated) const;
};

/// Adds the table `groups` (`compare_groups`): accuracy, and with a robustness run what all attacks together leave at
/// each eps.
void add_groups(Result& result, const std::vector<GroupColumn>& groups, const Predictions& predictions,
                const Dataset& evaluated, const std::optional<RobustnessRun>& robustness);

/// Of what `compare_groups` found: a table for each column, and one of the largest gaps with their tests.
std::vector<PrintedTable> group_tables(const nlohmann::json& groups);

}  // namespace fercli
