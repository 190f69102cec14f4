#include "commands/eval_robustness.hpp"

#include <fmt/format.h>

#include "commands/explanation_tables.hpp"
#include "commands/options/output_file.hpp"
#include "core/error.hpp"
#include "core/escape.hpp"
#include "core/observer.hpp"
#include "core/options.hpp"
#include "core/text.hpp"
#include "eval/adversarial_set.hpp"
#include "eval/campaign/division.hpp"
#include "eval/robustness_summary.hpp"
#include "eval/study/invariants.hpp"

namespace fercli {

namespace {

constexpr int kNotRobustEnough = 3;
constexpr const char* kStateFile = "robustness.state";  ///< in --out

Trial plan_of(const RobustnessOptions& options, const RobustnessSubject& subject, const Runtime& runtime) {
  Trial plan;
  plan.norm = options.attack.parsed_norm();
  plan.attacks = options.names;
  plan.ladder = parse_ladder(options.eps.empty() ? facts_of(plan.norm).eps_grid : options.eps, plan.norm);
  plan.goal = parse_emotion_goal(options.goal, subject.images.classes);
  plan.settings = options.attack.settings;
  plan.settings.pixel_grid = !options.off_grid;
  plan.seed = runtime.seed;
  const auto& images = subject.images.images;
  plan.mask = options.attack.load_mask(images.size(1), images.size(2), images.size(3));
  plan.surrogate = options.attack.image_maker(subject.classifier, images, runtime);
  return plan;
}

/// A table with a column for each eps.
PrintedTable table_of_eps(const RobustnessRun& run, const std::string& title) {
  PrintedTable table{title, {""}, {}};
  for (const auto& budget : run.plan.ladder) table.columns.push_back("eps " + budget.text);
  return table;
}

/// A curve of every attack, and of all together.
PrintedTable by_attack(const RobustnessRun& run, std::vector<Metric> LadderCurves::*curve, const std::string& title) {
  PrintedTable table = table_of_eps(run, title);
  std::vector<const LadderCurves*> rows;
  for (const auto& attack : run.figures.attacks) rows.push_back(&attack.curves);
  if (rows.size() > 1) rows.push_back(&run.figures.worst);
  for (const auto* curves : rows) {
    table.rows.push_back({curves->name});
    for (const auto& metric : curves->*curve) table.rows.back().push_back(share_cell(metric));
  }
  return table;
}

/// A row for each class, all attacks together; figure(k, budget) is of class k.
template <class Figure>
PrintedTable table_of_classes(const RobustnessRun& run, const std::string& title, const Figure& figure) {
  PrintedTable table = table_of_eps(run, title);
  table.columns.insert(table.columns.begin() + 1, "n");
  for (size_t k = 0; k < run.figures.base.per_class.size(); ++k) {
    table.rows.push_back({run.figures.base.per_class[k].name, figure(k, 0).n});
    for (size_t budget = 0; budget < run.plan.ladder.size(); ++budget)
      table.rows.back().push_back(share_cell(figure(k, budget)));
  }
  return table;
}

PrintedTable median_table(const RobustnessRun& run) {
  PrintedTable table{"median minimal eps", {"attack", "median"}, {}};
  for (const auto& attack : run.figures.attacks) {
    if (!attack.minimal_eps) continue;
    PrintedCell cell(describe_median_eps(attack.minimal_eps->median, run.plan.norm));
    cell.metric = attack.minimal_eps->median;
    table.rows.push_back({attack.curves.name, cell});
  }
  return table;
}

void print_flags(const std::vector<SanityFlag>& flags) {
  const auto raised = warnings_of(flags);
  print_text("  checks of the evaluation itself: {} of {} raised{}\n", raised.size(), flags.size(),
             raised.empty() ? "" : ":");
  for (const auto& warning : raised) print_text("    {}\n", warning.line());
}

}  // namespace

void RobustnessOptions::declare(OptionSet& options) {
  options.section("Robustness");
  options.text("attacks", &attacks, "ATTACK,…",
               "attack the images too; parameters follow a colon: pgd:steps=40,alpha=1/255,fab; `fercli attacks` lists "
               "the attacks and says which search in bf16 where the hardware has it; the verdict is float32 always");
  options.text("eps", &eps, "EPS,…",
               "sizes of the perturbation, pixels in [0,1]; without it 1/255,2/255,4/255,8/255 in Linf");
  options.text("goal", &goal, "GOAL", "untargeted, SOURCE-to-TARGET, any-to-TARGET or SOURCE-to-any");
  attack.declare(options);
  options.flag("float", &off_grid, "do not round to 8 bits, for comparison with other libraries");
  options.text("save-adv", &save_adv, "FILE", "keep the adversarial images; `fercli verify FILE` checks them again");
  options.only_by_hand();
  declare_explain(options, &explain);
  options.number("min-robust", &min_robust, "0", {0, 1, false, false},
                 "exit with 3 when the worst-case robust accuracy at the largest eps is below");
  division.declare_shard(options);
}

namespace {

/// --save-adv replaces what an earlier run kept there, and nothing else.
void refuse_other_file(const OptionSet& options, const std::string& file) {
  if (file.empty() || !is_taken(file, /*force=*/false)) return;
  try {
    load_adversarial(file);
  } catch (const UserError&) {
    options.fail("save-adv", "is there already, and holds no adversarial images; choose another name");
  }
}

}  // namespace

void RobustnessOptions::check(const OptionSet& options, const std::string& out) {
  if (wanted()) {
    division.check(options, out);
    names = attack.choose(options, "attacks");
    const Norm norm = attack.parsed_norm();
    const double smallest = parse_ladder(eps.empty() ? facts_of(norm).eps_grid : eps, norm).front().eps;
    if (!off_grid) require_level(options, norm, smallest, "; --float leaves images unrounded");
    if (!save_adv.empty() && off_grid) options.fail("save-adv", "holds 8-bit images, and --float makes others");
    refuse_other_file(options, save_adv);
    return;
  }
  std::vector<std::string> needing{"eps",      "goal",  "norm",      "save-adv", "min-robust",
                                   "float",    "mask",  "surrogate", "ensemble", "eot",
                                   "eot-over", "shard", "processes", "estimate", "explain"};
  for (const auto& parameter : shared_parameters()) needing.push_back(parameter.name);
  for (const auto& name : needing) {
    if (options.given(name)) options.fail(name, "needs --attacks");
  }
}

RobustnessRun run_robustness(const RobustnessOptions& options, const RobustnessSubject& subject, const Runtime& runtime,
                             const std::string& folder, Division* division) {
  RobustnessRun run;
  run.explain = options.explain;
  run.plan = plan_of(options, subject, runtime);
  CampaignOptions campaign;
  if (!folder.empty()) campaign.state = std::filesystem::path(folder) / kStateFile;
  campaign.division = division;
  Observer& observer = ProgressObserver::terminal();
  try {
    run.robustness = run_campaign({subject.classifier, subject.images, subject.digest}, run.plan, campaign, observer);
  } catch (const Interrupted& error) {
    if (campaign.state) throw;
    throw Interrupted(fmt::format("{}; with --out DIR the same command could go on from here", error.what()));
  }
  if (ledgers_only(division)) return run;
  run.flags = check_sanity(subject.classifier, subject.images, run.robustness, run.plan);
  return run;
}

void print_robustness_estimate(const RobustnessOptions& options, const RobustnessSubject& subject,
                               const Runtime& runtime) {
  print_estimate({subject.classifier, subject.images, subject.digest}, {plan_of(options, subject, runtime)});
}

void add_to_result(Result& result, RobustnessRun* run, const LabelSet& classes) {
  run->figures = add_robustness(result, *run, classes);
  const std::string name = result.model_name();
  result.parts["sanity"][name] = Shape<std::vector<SanityFlag>>::write(run->flags);
  for (const auto& warning : warnings_of(run->flags)) result.add_warning(warning);
  result.invariants = check_invariants(result.outcomes[name], name);
  for (const auto& warning : violations_in(result.invariants)) result.add_warning(warning);
}

void save_if_wanted(const RobustnessOptions& options, const RobustnessRun& run, const Dataset& evaluated,
                    const nlohmann::json& claim) {
  if (options.save_adv.empty()) return;
  const auto set = collect_adversarial(run.robustness, run.plan, evaluated, claim);
  save_adversarial(set, options.save_adv);
  inform(fmt::format("{}: {} adversarial images", options.save_adv, set.images.size()));
}

std::vector<PrintedTable> robustness_tables(const Result& result, const RobustnessRun& run) {
  const auto& robustness = run.robustness;
  const auto& figures = run.figures;
  const auto threat = restriction_clause(restrictions_of(result.threat_model));
  std::vector<PrintedTable> tables{
      by_attack(run, &LadderCurves::robust_accuracy,
                fmt::format("robust accuracy in {} (%, 95 % CI, n = {})", to_string(run.plan.norm), robustness.size())),
      by_attack(run, &LadderCurves::balanced,
                fmt::format("balanced robust accuracy (mean over the classes, n = {})", robustness.size()))};
  auto& constant = tables.front().rows.emplace_back();
  constant.emplace_back("always " + figures.constant_answer.at("class").get<std::string>());
  while (constant.size() < tables.front().columns.size())
    constant.push_back(share_cell(metric_from_json(figures.constant_answer)));
  if (run.plan.goal.targeted()) {
    tables.push_back(by_attack(
        run, &LadderCurves::success,
        fmt::format("goal reached (of the {} rightly classified)", robustness.right().sum().item<int64_t>())));
  }
  tables.push_back(table_of_classes(run, "robust accuracy by class, worst case",
                                    [&](size_t k, size_t budget) { return figures.base.per_class[k].robust[budget]; }));
  tables.push_back(table_of_classes(run, "share of each answer, worst case",
                                    [&](size_t k, size_t budget) { return figures.share_predicted[budget][k]; }));
  if (auto table = median_table(run); !table.rows.empty()) tables.push_back(std::move(table));
  if (auto table = optimality_table(result); !table.rows.empty()) tables.push_back(std::move(table));
  if (run.explain) tables.push_back(stage_table(result));
  for (auto& table : tables) table.title += threat;
  return tables;
}

void print_robustness(const Result& result, const RobustnessRun& run) {
  const auto& robustness = run.robustness;
  print_text("\nRobustness in {}, {}, {}: {} images, {} of them classified rightly\n", to_string(run.plan.norm),
             run.plan.goal.name, run.plan.settings.pixel_grid ? "8-bit images" : "off the pixel grid",
             robustness.size(), robustness.right().sum().item<int64_t>());
  if (run.plan.settings.pixel_grid) {
    for (const auto& budget : run.plan.ladder) {
      const auto note = levels_note(run.plan.norm, budget.text, budget.eps);
      if (!note.empty()) print_text("  {}\n", note);
    }
  }
  write_stdout(format_tables(robustness_tables(result, run), "text"));
  print_flags(run.flags);
}

int exit_code(const RobustnessOptions& options, const RobustnessRun& run) {
  const std::string eps = run.plan.ladder.back().text;
  const double worst = run.figures.worst.robust_accuracy.back().value;
  if (worst >= options.min_robust) return 0;
  warn(fmt::format("robust accuracy {:.1f} % at eps {} is below --min-robust {:g}", 100 * worst, eps,
                   options.min_robust));
  return kNotRobustEnough;
}

}  // namespace fercli
