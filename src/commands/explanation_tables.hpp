#pragma once

#include <string>
#include <vector>

#include "report/printed_table.hpp"

namespace fercli {

class OptionSet;
struct Result;

/// --explain of eval and attack.
void declare_explain(OptionSet& options, bool* explain);

/// What `explanation_members` says is in the tables of this result: which stage broke how many images at which cost,
/// one row for each stage and eps, and where an attack has several stages one for all. `subject`: put before the
/// title.
PrintedTable stage_table(const Result& result, const std::string& subject = "");

/// How near the minimum-norm attacks come to the best of all; no rows where fewer than two were run.
PrintedTable optimality_table(const Result& result);

}  // namespace fercli
