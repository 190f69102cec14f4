#pragma once

#include <string>
#include <vector>

#include "commands/options/attack_options.hpp"
#include "commands/options/division_options.hpp"
#include "eval/campaign/campaign.hpp"
#include "eval/ladder_figures.hpp"
#include "eval/result.hpp"
#include "eval/sanity.hpp"
#include "report/printed_table.hpp"

namespace fercli {

class OptionSet;

/// The robustness part of `fercli eval`.
struct RobustnessOptions {
  std::string attacks, eps, goal = "untargeted", save_adv;
  double min_robust = 0;
  bool off_grid = false, explain = false;
  AttackOptions attack;
  DivisionOptions division;
  std::vector<std::string> names = {};  ///< of the attacks; known after `check`

  void declare(OptionSet& options);
  bool wanted() const { return !attacks.empty(); }

  /// Throws UserError about options that make no sense together.
  void check(const OptionSet& options, const std::string& out);
};

/// Whom it is about.
struct RobustnessSubject {
  Classifier classifier;  ///< in the arithmetic of the search
  std::string digest;     ///< of the model's file
  const Dataset& images;
};

struct RobustnessRun : LadderRun {
  LadderFigures figures = {};  ///< once `add_to_result` has made them
  std::vector<SanityFlag> flags = {};
  bool explain = false;  ///< which stage broke what at which cost
};

/// With a folder, an interrupted run goes on from FOLDER/robustness.state. Where the division wants ledgers only,
/// nothing else is done.
RobustnessRun run_robustness(const RobustnessOptions& options, const RobustnessSubject& subject, const Runtime& runtime,
                             const std::string& folder, Division* division);

/// --estimate: what that would take, on stdout.
void print_robustness_estimate(const RobustnessOptions& options, const RobustnessSubject& subject,
                               const Runtime& runtime);

/// Metrics, parts, outcomes, tables, per-image part and warnings.
void add_to_result(Result& result, RobustnessRun* run, const LabelSet& classes);

/// --save-adv.
void save_if_wanted(const RobustnessOptions& options, const RobustnessRun& run, const Dataset& evaluated,
                    const nlohmann::json& claim);

/// What was found, as tables; `print_robustness` adds what else there is to say.
std::vector<PrintedTable> robustness_tables(const Result& result, const RobustnessRun& run);
void print_robustness(const Result& result, const RobustnessRun& run);

/// 3 when the worst-case robust accuracy at the largest eps is below --min-robust, else 0.
int exit_code(const RobustnessOptions& options, const RobustnessRun& run);

}  // namespace fercli
