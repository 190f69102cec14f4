#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "data/groups.hpp"
#include "report/printed_table.hpp"

namespace fercli {

class OptionSet;

/// --groups of `fercli eval` and `fercli report`: for whom a network fails.
struct GroupOptions {
  std::string source;

  void declare(OptionSet& options);

  /// The groups of these images; none where the option is not given. Throws UserError.
  std::vector<GroupColumn> load(const Dataset& evaluated) const;
};

/// Of what `compare_groups` found: a table for each column, and one of the largest gaps with their tests.
std::vector<PrintedTable> group_tables(const nlohmann::json& groups, const std::string& threat);

}  // namespace fercli
