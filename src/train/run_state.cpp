#include "train/run_state.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace fercli {

void RunState::add_batch(double loss, int64_t images, int64_t hits) {
  ++batch;
  loss_sum += loss * static_cast<double>(images);
  seen += images;
  correct += hits;
}

EpochRecord RunState::training_record() const {
  EpochRecord record;
  record.epoch = epoch + 1;
  record.train_loss = loss_sum / static_cast<double>(seen);
  record.train_accuracy = static_cast<double>(correct) / static_cast<double>(seen);
  return record;
}

void RunState::end_epoch(EpochRecord record) {
  record.best = std::all_of(history.begin(), history.end(),
                            [&](const EpochRecord& earlier) { return record.score() > earlier.score(); });
  history.push_back(std::move(record));
  ++epoch;
  batch = correct = seen = 0;
  loss_sum = epoch_seconds = 0;
}

void RunState::drop_on_plateau(int64_t patience) {
  if (epoch - std::max(best_epoch(), drop_epoch) < patience) return;
  ++drops;
  drop_epoch = epoch;
}

int64_t RunState::best_epoch() const {
  const auto best =
      std::find_if(history.rbegin(), history.rend(), [](const EpochRecord& record) { return record.best; });
  return best == history.rend() ? 0 : best->epoch;
}

void RunState::require_possible() const {
  for (const int64_t count : {epoch, batch, step, drops, drop_epoch, correct, seen, attack_steps}) {
    if (count < 0) throw std::invalid_argument("a count below 0");
  }
  if (batch > 0 && (seen == 0 || !std::isfinite(loss_sum))) throw std::invalid_argument("batches without images");
  if (static_cast<int64_t>(history.size()) != epoch) throw std::invalid_argument("epochs without a record");
  for (const auto& record : history) {
    const auto& robust = record.robust;
    if (robust.has_value() != (attack_steps > 0)) throw std::invalid_argument("a record of another kind of training");
    if (robust && robust->counts.hits.size() != robust->counts.images.size())
      throw std::invalid_argument("other classes");
  }
}

}  // namespace fercli
