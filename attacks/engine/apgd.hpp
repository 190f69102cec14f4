#pragma once

#include "attacks/engine/search.hpp"

namespace fercli {

/// The iterations, counted from 1, after which Auto-PGD looks at its step size: the shares 0.22, 0.41, 0.57, 0.70, …
/// of arXiv:2003.01690, sec. 3.2, in whole iterations as in the authors' code. 100: 22, 41, 57, 70, 80, 87, 93, 99.
std::vector<int64_t> apgd_checkpoints(int64_t steps);

/// One run of Auto-PGD.
struct ApgdRun {
  int64_t steps;
  double rho;  ///< the share of an interval in which the loss must fall, or the step size is halved
  int64_t batch_size;
  std::string label;  ///< keys the random start
  Search::RowLoss loss;
  int64_t part;  ///< of `apgd_parts`
};

/// Into how many parts a run of so many steps is cut, so that it can be gone on with: Linf and L2, 25 steps each; L1,
/// one for each of its balls.
int64_t apgd_parts(Norm norm, int64_t steps);

/// One part of a run of Auto-PGD, the first from the start given to `search`, else from a random one; the others from
/// what `search` recalls.
/// Croce and Hein, "Reliable evaluation of adversarial robustness with an ensemble of diverse parameter-free attacks",
/// arXiv:2003.01690, alg. 1. L1: Croce and Hein, "Mind the box: l1-APGD for sparse adversarial attacks on image
/// classifiers", arXiv:2103.01208, alg. 1, with balls of 3 eps and 2 eps before that of eps (sec. 4.2).
///
/// Off the pixel grid it takes the steps of the authors' code (commit a392200), with its conventions: the first
/// comparison of losses at the first checkpoint is with 0; after a return to the best point the momentum still counts
/// from the point before. Random starts: Linf, uniform, scaled so that one pixel moves by eps; L2, on the sphere; L1,
/// normal noise projected into the first ball. On the pixel grid the network sees the exportable image of each iterate,
/// and the iterate itself moves on off the grid.
///
/// Searches in bfloat16: losses are compared with each other to choose step sizes and the best point, and where two are
/// so near that bfloat16 confuses them, either serves.
///
/// Deviations: the cross-entropy's gradient does not underflow on very confident images; L1 projects exactly where the
/// code sorts, and a start at the original takes the sparsity of a random start, not that of an empty perturbation.
void auto_pgd(Search& search, const ApgdRun& run);

/// The targeted difference of logits ratio of an untargeted attack that heads for these classes, (M) int64: one for
/// each image that is in the search now, also when some of them have left.
Search::RowLoss heading_for(const Search& search, const torch::Tensor& classes);

/// Auto-PGD on one loss of the goal: APGD-CE, APGD-DLR. Really targeted when the goal is: success is the target.
class Apgd : public Attack {
 public:
  explicit Apgd(const AttackSetup& setup) : Attack(setup), loss_(find_goal_loss(values().word("loss"))) {}

 private:
  int64_t parts(Norm norm, bool, int64_t) const override { return apgd_parts(norm, values().whole("steps")); }
  void perturb(Search& search) const override;

  GoalLossFunction loss_;
};

/// How Auto-PGD on one loss ("ce" or "dlr"), described by `summary`, is registered.
AttackEntry apgd_entry(const std::string& loss, const std::string& summary);

/// steps, restarts and random-start as in the paper, and rho.
std::vector<Parameter> apgd_parameters();

}  // namespace fercli
