#pragma once

#include "attacks/engine/hyperplane.hpp"
#include "attacks/engine/search.hpp"

namespace fercli {

class MinimumNormAttack;

/// What `Approach::look` finds at the points of the images still open.
struct Sight {
  torch::Tensor logits;   ///< (M,K) in the search's own arithmetic
  torch::Tensor reached;  ///< (M) bool: the goal, by the float32 network where that could be a new nearest success
  /// dlogits (M,K) -> (M,C,H,W), 0 outside the mask; once or more; one backward per image each time.
  std::function<torch::Tensor(const torch::Tensor& dlogits)> pullback;
};

/// One start of a minimum-norm attack on a few images. The points may lie anywhere in [0,1] and off the pixel grid;
/// the nearest that float32 confirms is kept for each image. An image stays open until its attack dismisses it or, when
/// the attack stops at the first success inside the ball, until there is one.
class Approach {
 public:
  /// rows: (B) int64, places in `search`; `first` says which of the images these are.
  Approach(Search& search, const torch::Tensor& rows, const MinimumNormAttack& attack);

  int64_t size() const { return open_.size(0); }  ///< M, the images still open
  torch::Tensor x() const { return x_.index_select(0, open_); }
  Goal goal() const { return goal_.select(open_); }
  Norm norm() const { return ball_.norm(); }
  int64_t classes() const { return search_.classes(); }

  /// (M,C,H,W): `points` where the mask lets them be, x elsewhere.
  torch::Tensor confined(const torch::Tensor& points) const;

  /// The ball of these radii ((M) float64) around the open images, off the pixel grid.
  Ball ball(const torch::Tensor& radius) const;

  torch::Tensor best() const { return best_.index_select(0, open_); }  ///< (M,C,H,W) nearest success, or x
  torch::Tensor cost() const { return cost_.index_select(0, open_); }  ///< (M) float64 of it; infinite: none

  using State = std::vector<torch::Tensor*>;

  /// Shows `points` ((M,C,H,W)) to the network; outside [0,1] none is a success. Images that leave are dropped from
  /// `points` and `state`. One forward per image, and one more by float32 for each new nearest success.
  Sight look(torch::Tensor& points, const State& state = {});

  /// Asks float32 about those of `points` where `claimed` ((M) bool) and that would be new nearest successes; keeps the
  /// ones it confirms. Returns `claimed` without those it does not confirm.
  torch::Tensor offer(const torch::Tensor& points, const torch::Tensor& claimed);

  /// Which part of `MinimumNormAttack::approaches` this is, and what an earlier one keeps for it, a row for each image
  /// that is still open. Images dismissed in one part are open again in the next, unless nothing more is to be found.
  int64_t part() const { return search_.part(); }
  void keep(const std::string& name, const torch::Tensor& values);
  torch::Tensor kept(const std::string& name) const;

  /// The images where `finished` ((M) bool) leave, in `points` and `state` too.
  void dismiss(const torch::Tensor& finished, torch::Tensor& points, const State& state = {});

  const torch::Tensor& all_best() const { return best_; }  ///< (B,C,H,W), of images that have left too
  const torch::Tensor& all_cost() const { return cost_; }  ///< (B) float64

  /// Between two parts: the nearest successes of all B images.
  void keep_best();
  void recall_best();

 private:
  torch::Tensor mask() const;
  void snap(const torch::Tensor& places, const torch::Tensor& shown, const torch::Tensor& confirmed);

  Search& search_;
  const MinimumNormAttack& attack_;
  torch::Tensor rows_, x_;
  Ball ball_;
  Goal goal_;
  torch::Tensor open_;  ///< (M) int64, places among the B images
  torch::Tensor best_, cost_;
};

/// An attack that looks for the nearest image that reaches the goal, and walks outside the ball on its way. One run
/// gives the whole curve of accuracy against eps: with `AttackRun::nearest` (the default) an image counts as robust at
/// eps when it has no success or one with distance > eps.
///
/// Points are looked at off the pixel grid, where the attack needs to see steps much smaller than a level; on the grid
/// what it finds is then settled on it (lattice.hpp). `restarts` above 1 begin at random points of the ball of half the
/// nearest distance yet. All of them search in float32: they walk along the decision boundary by the difference of two
/// nearly equal logits, and where bfloat16 sees that boundary is not where it is. Images are worked on `batch_size` at
/// a time. `confidence` is not used while `nearest`.
class MinimumNormAttack : public Attack {
 public:
  explicit MinimumNormAttack(AttackSetup setup) : Attack(std::move(setup), Reach::Anywhere) {}

  /// What is to be small: (N) float64 of (N,C,H,W) differences; by default their norm.
  virtual torch::Tensor cost(const torch::Tensor& delta, Norm norm) const { return row_norms(delta, norm); }

  bool nearest() const { return setup_.nearest.value_or(true); }

 protected:
  /// The way of some images, from `points`; see `Approach`. In parts after the first `points` are the originals, and
  /// where the way goes on is what the attack has kept.
  virtual void approach(Approach& approach, torch::Tensor points) const = 0;

  /// Into how many parts the way is cut, so that little is lost when a run is interrupted.
  virtual int64_t approaches(int64_t /*classes*/) const { return 1; }

 private:
  int64_t parts(Norm, bool, int64_t classes) const final { return approaches(classes); }
  void perturb(Search& search) const final;
};

}  // namespace fercli
