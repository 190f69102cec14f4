#pragma once

#include <initializer_list>
#include <vector>

#include "attacks/attack.hpp"
#include "attacks/ball.hpp"
#include "attacks/losses.hpp"

namespace fercli {

/// What has been found so far for all images of a run.
struct Findings {
  torch::Tensor x_adv;          ///< (N,C,H,W) the best image yet: a success before a failure, then the lower margin
  torch::Tensor logits;         ///< (N,K) float32 network; valid where `success`
  torch::Tensor margin;         ///< (N) float32, margin_loss of the best image
  torch::Tensor success;        ///< (N) bool
  torch::Tensor float_success;  ///< (N) bool
  torch::Tensor done;           ///< (N) bool: success with the confidence asked for
};

/// One start of an attack on the images that are still unsolved: their originals, their ball, and the network.
/// Candidates are shown to it; those that reach the goal leave, so all tensors an attack keeps per image go through
/// `gradient` or `offer`, which drop the same rows from them.
class Search {
 public:
  struct Networks {
    const Classifier& fast;   ///< gradients and first look
    const Classifier& judge;  ///< float32: the verdict
  };

  /// rows: the positions in `findings` of the images of this start. `rng` is the start's own.
  Search(Networks networks, const AttackSettings& settings, Ball ball, Goal goal, std::vector<int64_t> index,
         torch::Tensor rows, const Rng& rng, Findings* findings);

  int64_t size() const { return rows_.size(0); }
  const Ball& ball() const { return ball_; }
  const Goal& goal() const { return goal_; }
  const std::vector<int64_t>& index() const { return index_; }
  const Rng& rng() const { return rng_; }

  /// Where this start begins: the points given by `set_start`, else random points of the ball.
  torch::Tensor start() const;
  void set_start(torch::Tensor start) { start_ = std::move(start); }

  using State = std::initializer_list<torch::Tensor*>;

  /// Judges the exportable images of `x_adv` and returns the gradient of the loss there, (M,C,H,W) for the M images
  /// still unsolved; the solved ones leave, and their rows are dropped from `x_adv` and `state`. One forward and one
  /// backward per image. Throws Interrupted.
  torch::Tensor gradient(torch::Tensor& x_adv, GoalLossFunction loss, State state = {});

  /// The same without the gradient: one forward per image. Here float32 also looks at images of which the fast
  /// arithmetic is in doubt.
  void offer(torch::Tensor& x_adv, State state = {});

  /// Ends a start: offers `x_adv`, and looks whether the points themselves, off the pixel grid, reach the goal.
  void finish(torch::Tensor& x_adv);

 private:
  enum class Look { OnTheWay, Last };
  torch::Tensor judged(const torch::Tensor& shown, const torch::Tensor& fast_logits, Look look);
  void keep_only(const torch::Tensor& keep, torch::Tensor& x_adv, State state);

  Networks networks_;
  const AttackSettings& settings_;
  Ball ball_;
  Goal goal_;
  std::vector<int64_t> index_;
  torch::Tensor rows_, start_;
  Rng rng_;
  Findings* findings_;
};

}  // namespace fercli
