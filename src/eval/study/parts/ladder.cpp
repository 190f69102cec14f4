#include "eval/study/parts/ladder.hpp"

namespace fercli {

using nlohmann::json;

json ladder_options(const LadderPlan& ladder) {
  json options = {{"norm", to_string(ladder.norm)}, {"attacks", json::array()}};
  for (const auto& budget : ladder.ladder) options["eps"].push_back(budget.text);
  for (const auto& name : ladder.attacks) {
    // With the precision that the attack allows, so that figures from before it was decided are not taken for today's.
    options["attacks"].push_back(make_attack(name, ladder.settings, ladder.norm, false)
                                     ->describe_on(Precision::BFloat16, {ladder.norm, ladder.ladder.back().eps}));
  }
  return options;
}

LadderRun run_ladder(const StudySubject& subject, const LadderPlan& ladder) {
  LadderRun run;
  run.plan.attacks = ladder.attacks;
  run.plan.ladder = ladder.ladder;
  run.plan.norm = ladder.norm;
  run.plan.goal = parse_emotion_goal("untargeted", subject.images.classes);
  run.plan.settings = ladder.settings;
  run.plan.settings.batch_size = subject.plan.batch_size;
  run.plan.seed = subject.plan.seed;
  run.robustness = run_part(subject, run.plan);
  return run;
}

StudyFindings ladder_findings(const StudySubject& subject, const LadderRun& run, json figures) {
  Cost cost;
  for (const auto& record : run.robustness.attacks) cost += cost_of(record);
  StudyFindings findings{std::move(figures), Shape<Cost>::write(cost)};
  findings.outcomes.attacks = outcomes_of_attacks(run, rows_of(subject));
  return findings;
}

}  // namespace fercli
