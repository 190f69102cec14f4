#pragma once

#include <initializer_list>
#include <vector>

#include "attacks/engine/attack.hpp"
#include "attacks/engine/findings.hpp"
#include "attacks/threat/ball.hpp"
#include "attacks/threat/losses.hpp"

namespace fercli {

/// (M) int64: where the mask is true.
inline torch::Tensor places_where(const torch::Tensor& mask) {
  return mask.nonzero().squeeze(1);
}

/// What `Search::gradient` finds at the images still unsolved.
struct Slope {
  torch::Tensor gradient;  ///< (M,C,H,W): of the loss, in the image
  torch::Tensor value;     ///< (M) float32: the loss
  torch::Tensor logits;    ///< (M,K) in the search's own arithmetic
};

/// What `Search::look` finds.
struct Look {
  torch::Tensor logits;  ///< (M,K) in the search's own arithmetic
  /// dlogits (M,K) -> (M,C,H,W), once or more; one backward per image each time.
  std::function<torch::Tensor(const torch::Tensor& dlogits)> pullback;
};

/// The float32 network looks at the best image of these rows ((R) int64), whose goals are given, for the last time.
void confirm_best(const Classifier& judge, const Goal& goal, const torch::Tensor& rows, Findings* findings);

/// One start of an attack on the images that are still unsolved: their originals, their ball, and the network.
/// Candidates are shown to it; those that reach the goal leave (unless the attack searches the nearest success), so all
/// tensors an attack keeps per image go through `gradient`, `look`, `scores` or `offer`, which drop the same rows from
/// them. What the network sees is the exportable image of a candidate in the ball, or, for an attack whose way leads
/// anywhere, the rounded one.
class Search {
 public:
  struct Networks {
    const Classifier* fast;   ///< gradients and first look
    const Classifier* judge;  ///< float32: the verdict
  };

  /// Who searches.
  struct Turn {
    Networks networks;
    const Attack* attack;
    Rng rng;  ///< the start's own
    int64_t part;
  };

  /// rows: the positions in `findings` of the images of this start.
  Search(Turn turn, Ball ball, Goal goal, std::vector<int64_t> index, torch::Tensor rows, Findings* findings);

  int64_t size() const { return rows_.size(0); }
  const Ball& ball() const { return ball_; }
  const Goal& goal() const { return goal_; }
  const std::vector<int64_t>& index() const { return index_; }
  const torch::Tensor& rows() const { return rows_; }  ///< (M) int64: the places of the images in the attack's input
  const Rng& rng() const { return turn_.rng; }
  int64_t part() const { return turn_.part; }  ///< which of `Attack::parts`
  int64_t classes() const { return turn_.networks.judge->classes().size(); }
  const LabelSet& class_names() const { return turn_.networks.judge->classes(); }

  /// (M) float64: how far the nearest success found for each image is; infinite where there is none.
  torch::Tensor nearest_success() const;

  /// What is found from now on belongs to this stage of a cascade.
  void enter_stage(int64_t stage) { stage_ = stage; }

  /// Lets another attack search these images, in its own arithmetic and reach, with the noise of this label.
  void lend(const Attack& attack, const std::string& label, int64_t part, const std::function<void(Search&)>& act);

  /// Where this start begins: the points given by `set_start`, else random points of the ball.
  torch::Tensor start() const;

  /// The points given by `set_start` as they are, in the ball or not; undefined: none were given.
  const torch::Tensor& given_start() const { return start_; }
  void set_start(torch::Tensor start) { start_ = std::move(start); }

  using State = std::initializer_list<torch::Tensor*>;

  /// A loss that needs to know which of the images still unsolved it is given: `count` rows from `begin` on.
  using RowLoss = std::function<GoalLoss(const torch::Tensor& logits, const Goal& goal, int64_t begin, int64_t count)>;

  /// Judges `x_adv` and returns the gradient of the loss there for the M images still unsolved; the solved ones leave,
  /// and their rows are dropped from `x_adv` and `state`. One forward and one backward per image. Throws Interrupted.
  Slope gradient(torch::Tensor& x_adv, const GoalLossFunction& loss, State state = {});
  Slope gradient(torch::Tensor& x_adv, const RowLoss& loss, State state = {});

  /// The same with the gradient left to be asked for, in as many directions as an attack needs. One forward per image.
  Look look(torch::Tensor& x_adv, State state = {});

  /// The same for attacks that see logits alone: (M,K). One forward per image.
  torch::Tensor scores(torch::Tensor& x_adv, State state = {});

  /// Judges `x_adv` for the last time. One forward per image. Here float32 also looks at images of which the fast
  /// arithmetic is in doubt.
  void offer(torch::Tensor& x_adv, State state = {});

  /// For searches that need to know their place to a fraction of a level: the images `rows` ((R) int64, places in
  /// this search) at `points` as they are, off the pixel grid too. Nothing is judged. One forward per point.
  Look explore(const torch::Tensor& rows, const torch::Tensor& points) const;

  /// The verdict on such points: (R) bool, the float32 network says that the goal is reached. A success inside the ball
  /// is a find, off the pixel grid one for `float_success` alone. cost: (R) float64, what the search wants small, in
  /// place of the distance. Nobody leaves before `leave_solved`. One forward per point.
  torch::Tensor test(const torch::Tensor& rows, const torch::Tensor& points, const torch::Tensor& cost);

  /// (M) bool: nothing more is to be found for these images.
  torch::Tensor solved() const { return findings_->done.index_select(0, rows_); }
  void leave_solved();

  /// What the attack keeps of the M images for its next leg: (M,…), undefined where nothing was kept. `remember` takes
  /// a row for each image that is still in the search, or for each of `rows` ((R) int64, places in this search). One
  /// kind of tensor for each name: the parts of a cascade share the names of what is as large as images.
  torch::Tensor recalled(const std::string& name) const;
  void remember(const std::string& name, const torch::Tensor& values);
  void remember(const std::string& name, const torch::Tensor& rows, const torch::Tensor& values);

  /// The best image yet of each of the M images ((M,C,H,W): a success before a failure, else the lower margin), and its
  /// logits ((M,K)); of an image that no look has improved, the original.
  torch::Tensor best() const { return findings_->x_adv.index_select(0, rows_); }
  torch::Tensor best_logits() const { return findings_->logits.index_select(0, rows_); }

  /// The best images of these ((R) int64, places in this search) are judged for good, one forward each, and searched no
  /// more, in this leg and in those that come.
  void give_up(const torch::Tensor& places);

  /// Ends a start: offers `x_adv`, and looks whether the points themselves, off the pixel grid, reach the goal.
  void finish(torch::Tensor& x_adv);

 private:
  enum class Verdict { OnTheWay, Last };
  torch::Tensor shown(const torch::Tensor& x_adv) const;
  torch::Tensor confirmed(const torch::Tensor& shown, const torch::Tensor& fast_logits, Verdict verdict);
  void note(const torch::Tensor& places, const torch::Tensor& shown, const torch::Tensor& logits,
            const torch::Tensor& margin, const torch::Tensor& reached, const torch::Tensor& improved);
  void keep_only(const torch::Tensor& keep, torch::Tensor& x_adv, State state);
  bool nearest() const { return turn_.attack->minimum_norm(); }

  Turn turn_;
  Ball ball_;
  Goal goal_;
  std::vector<int64_t> index_;
  torch::Tensor rows_, start_;
  Findings* findings_;
  int64_t stage_ = 0;
};

}  // namespace fercli
