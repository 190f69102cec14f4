#pragma once

#include <string>

#include "eval/campaign/campaign.hpp"
#include "eval/result.hpp"

namespace fercli {

/// Always giving one answer is robust at any eps: what that alone would score on these images.
struct ConstantAnswer {
  int64_t label;    ///< the most frequent class
  Metric accuracy;  ///< its share
  double balanced;  ///< 1 / classes that have images
};

ConstantAnswer constant_answer(const Ledger& robustness, int64_t classes);

/// Adds what was found to the result of the clean evaluation on the same data set. For each ATTACK, and for "worst",
/// all of them together, and each EPS as it was written:
///
/// metrics  robust_accuracy.ATTACK.EPS           share of all images that are classified rightly and keep their class
///          balanced_robust_accuracy.ATTACK.EPS  the mean of that share over the classes
///          attack_success.ATTACK.EPS            share of the rightly classified images that reach the goal
///          median_minimal_eps.ATTACK            minimum-norm attacks: over the rightly classified images
///          constant_answer_accuracy             see ConstantAnswer
/// tables   robustness: per attack and eps the per-class robust accuracy, the share of each answer, the stages of a
///          cascade that broke images, and network passes; curves: robust accuracy of minimum-norm attacks at even
///          steps of eps; constant_answer; stages and, of two or more minimum-norm attacks, optimality: see
///          explanation.hpp
/// per_image (where the goal concerns the image)  answers: per attack, the class at each eps of the grid; distance
///          and stage: per attack, of the adversarial image; null where there is none
/// timing   seconds.ATTACK.EPS
///
/// Also attacks and threat_model, with the digests of mask and surrogate where there are any.
void add_robustness(Result& result, const Ledger& robustness, const Trial& plan, const LabelSet& classes);

}  // namespace fercli
