#pragma once

#include <cstdint>
#include <string>

namespace fercli {

/// Learning rate over a run.
///   one-cycle  rises by a cosine from lr/25 to lr over the first quarter, falls by a cosine to lr/10000 (Smith and
///   Topin 2018) cosine     falls from lr to 0 along half a cosine (Loshchilov and Hutter 2017) plateau    times 0.5
///   after `plateau_patience` epochs without a better validation accuracy constant   lr
/// `warmup_epochs` of linear rise from 0 come before cosine, plateau and constant.
struct Schedule {
  std::string kind = "one-cycle";
  double lr = 0.1;
  int64_t epochs = 1;
  double warmup_epochs = 0;

  /// At this moment of the run, in epochs (2.5: middle of the third); `drops` counts plateau's halvings so far.
  double at(double epoch, int64_t drops) const;
};

}  // namespace fercli
