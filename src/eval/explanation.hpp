#pragma once

#include <string>
#include <vector>

#include "eval/campaign/ledger.hpp"
#include "eval/result_shapes.hpp"
#include "record/fields.hpp"

namespace fercli {

/// What one stage of an attack found at one eps, and what it cost. Of a minimum-norm attack, whose one run gives every
/// eps, at the largest.
struct StageReport {
  std::string attack, eps, stage;
  int64_t images = 0;                 ///< that came to it: not broken at a smaller eps nor by an earlier stage
  int64_t broken = 0;                 ///< of these, by this stage
  int64_t forward = 0, backward = 0;  ///< images through the network, for all that came

  double forward_each() const { return images > 0 ? static_cast<double>(forward) / static_cast<double>(images) : 0; }
  double backward_each() const { return images > 0 ? static_cast<double>(backward) / static_cast<double>(images) : 0; }
};

/// How near a minimum-norm attack comes to the best of all attacks run.
struct AttackOptimality {
  std::string attack;
  Metric optimality;  ///< 1: no attack found a nearer success on any image; NaN where it says nothing
};

template <class Visitor>
void visit_fields(Visitor& field, StageReport& report) {
  field("attack", report.attack, "its name");
  field("eps", report.eps, "as it was written; of a minimum-norm attack, which runs once, the largest");
  field("stage", report.stage, "of a cascade; of another attack \"attack\"");
  field("images", report.images, "that came to it: not broken at a smaller eps nor by an earlier stage");
  field("broken", report.broken, "of these, by this stage");
  field("forward", report.forward, "images through the network, for all that came");
  field("backward", report.backward, "gradients of an image, for all that came");
}

template <class Visitor>
void visit_fields(Visitor& field, AttackOptimality& entry) {
  field("attack", entry.attack, "its name");
  field("optimality", entry.optimality,
        "sum of (max - distance) over that of (max - best distance of all attacks), over the n rightly classified "
        "images that any attack broke; max: the largest best distance");
}

/// The stages to which images came, at each eps in turn. ladder: of the record's trial.
std::vector<StageReport> stage_reports(const AttackRecord& record, const std::vector<Budget>& ladder);

/// What of them is in the tables of a result: "stages", "optimality".
shape::Members explanation_members();

/// Local optimality as AttackBench defines it (Cinà et al., "AttackBench: Evaluating gradient-based attacks for
/// adversarial examples", AAAI 2025): the area that an attack takes from under the curve of robust accuracy over eps,
/// as a share of what the best of all attacks takes, up to the eps at which that best leaves nothing:
///
///     sum_i (max - min(d_i, max)) / sum_i (max - best_i),   best_i = min over the attacks,   max = max_i best_i
///
/// distances: a row of N for each attack, infinite where it found nothing. Images that no attack broke say nothing of
/// one against the other and are left out; n counts the others. Interval: percentile bootstrap over the images, the
/// attacks paired, max anew in each draw; the same for the same distances. NaN where all best distances are equal.
std::vector<Metric> local_optimality(const std::vector<std::vector<double>>& distances);

/// Of every minimum-norm attack of the ledger, over the rightly classified images, against the best of all its attacks;
/// none where fewer than two are minimum-norm attacks.
std::vector<AttackOptimality> optimality_of(const Ledger& ledger);

}  // namespace fercli
