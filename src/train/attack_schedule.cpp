#include "train/attack_schedule.hpp"

namespace fercli {

AttackSchedule::AttackSchedule(const TrainOptions& options)
    : loss_(Registry<TrainingLoss>::instance().get(options.loss)),
      parameters_(options.parameters()),
      eps_(options.adversarial.eps),
      rise_(options.adversarial.ramp * static_cast<double>(options.schedule.epochs)),
      stops_(options.micro_shards > 0 && !replays()) {}  // weights that a replay has learnt already are not given up

int64_t AttackSchedule::first_steps() const {
  return loss_.attack->searches ? parameters_.whole("attack-steps") : loss_.attack->steps;
}

double AttackSchedule::eps(double moment) const {
  return eps_ * (moment < rise_ ? moment / rise_ : 1);
}

InnerAttack AttackSchedule::at(double moment, int64_t steps) const {
  const double radius = eps(moment), risen = radius / eps_;
  if (!loss_.attack->searches) return {radius, radius, steps, loss_.attack->statistics, stops_, risen};
  const double alpha =
      parameters_.has("alpha") ? parameters_.number("alpha") * radius / eps_ : loss_.attack->alpha(radius, steps);
  const bool of_batch = parameters_.word("attack-statistics") == to_string(Statistics::Batch);
  return {radius, alpha, steps, of_batch ? Statistics::Batch : Statistics::Running, stops_, risen};
}

}  // namespace fercli
