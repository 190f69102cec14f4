#include "eval/surrogate.hpp"

#include "attacks/engine/transfer.hpp"

namespace fercli {

AttackSettings Surrogate::fitted(const AttackSettings& settings) const {
  return classifier ? transfer_settings(settings) : settings;
}

AttackResult Surrogate::run(const Attack& attack, const Classifier& target, const ThreatModel& threat,
                            const AttackInput& input, const Rng& rng) const {
  if (!classifier) return attack.run(target, threat, input, rng);
  return run_transfer(attack, *classifier, target, threat, input, rng).result;
}

}  // namespace fercli
