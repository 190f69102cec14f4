#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "attacks/threat/threat_model.hpp"
#include "core/random.hpp"
#include "core/registry.hpp"
#include "models/classifier.hpp"

namespace fercli {

class Search;
struct Findings;

/// What an attack is asked to perturb.
struct AttackInput {
  torch::Tensor x;             ///< (N,C,H,W) float32 in [0,1], on the CPU
  Goal goal;                   ///< N labels or targets
  std::vector<int64_t> index;  ///< N numbers that identify the images: they key each image's noise (see `image_keys`)
  torch::Tensor start =
      {};  ///< like x: where the first start begins (projected into the ball); undefined: see `random_start`
  torch::Tensor mask = {};  ///< like x, 0 or 1: what may change; undefined: everything
};

struct AttackResult {
  torch::Tensor x_adv;    ///< (N,C,H,W) float32 inside the ball; where nothing was found, the image nearest the goal
  torch::Tensor logits;   ///< (N,K) of x_adv by the float32 network
  torch::Tensor success;  ///< (N) bool: these logits reach the goal
  torch::Tensor float_success;  ///< (N) bool: `success`, or a point of the ball off the pixel grid reached the goal
  torch::Tensor distance;       ///< (N) float64, |x_adv - x| in the threat model's norm
  torch::Tensor stage;  ///< (N) int64: which of `Attack::stages` reached the goal first; -1: none, or the original
  int64_t forward = 0, backward = 0;  ///< images sent through the network
};

/// What an attack shows to the network on its way: the rows of the input still unsolved ((M) int64), the images
/// (M,C,H,W) and their logits (M,K) in the search's own arithmetic.
using AttackTrace =
    std::function<void(const torch::Tensor& rows, const torch::Tensor& shown, const torch::Tensor& logits)>;

/// The knobs of iterative attacks; each attack documents which it uses.
struct AttackSettings {
  double alpha = 0;           ///< step size in the norm's units; 0: the attack's own rule
  int64_t steps = 0;          ///< 0: the attack's own default
  int64_t restarts = 1;       ///< independent starts; an image that has reached the goal starts no more
  int64_t queries = 0;        ///< black-box attacks: network calls per image and start; 0: the attack's own default
  int64_t targets = 0;        ///< attacks that head for one class after another: how many; 0: min(9, K - 1)
  std::string loss;           ///< "ce", "dlr", "margin"; "": the attack's own default
  double confidence = 0;      ///< search on until the goal has this probability (above 1: to the end of the budget);
                              ///< success is counted without it
  bool random_start = false;  ///< begin the first start at a random point too; without it, at the original
  bool pixel_grid =
      true;  ///< end on multiples of 1/255 inside the ball, so that an 8-bit file holds the result exactly
  std::optional<bool> nearest;  ///< minimum-norm attacks: search on for the nearest success (the default), or stop at
                                ///< the first inside the ball; attacks of a fixed budget always stop
  int64_t batch_size = 64;      ///< images per network call; results do not depend on it
  AttackTrace trace = {};       ///< called at every look; it changes nothing
};

/// A way to search the ball of a threat model for an image that reaches the goal.
///
/// `run` and `run_leg` are not virtual: they validate, restart, drop solved images from the batch (eval-mode images are
/// independent, so no decision changes), project, round to the pixel grid and judge. Subclasses implement `perturb` for
/// one start of the images still unsolved. The search runs in `search_precision`; a success is
/// one that the float32 network confirms, and an image that only bfloat16 sees solved is searched on. An image that is
/// in the goal class already is a success at distance 0. Results depend on neither batch size, order, company nor
/// threads.
class Attack {
 public:
  /// Where the points that an attack shows to the network may lie. `Anywhere` in [0,1]: minimum-norm attacks, whose
  /// way leads through images outside the ball, and SPSA's probes; a success counts inside it alone.
  enum class Reach { InsideBall, Anywhere };

  explicit Attack(AttackSettings settings, Reach reach = Reach::InsideBall);
  virtual ~Attack() = default;

  /// Throws UserError: shapes that do not fit, pixels outside [0,1], labels outside the classes, eps out of range;
  /// Interrupted on Ctrl-C.
  AttackResult run(const Classifier& classifier, const ThreatModel& threat, const AttackInput& input,
                   const Rng& rng) const;

  /// A run is `legs` legs, one after the other: of each start one, of an attack of several parts one for each. What is
  /// known between two of them are the findings, so that a run can be kept and gone on with, each image for itself.
  int64_t legs(Norm norm, bool targeted, int64_t classes) const {
    return settings_.restarts * parts(norm, targeted, classes);
  }

  /// The next leg for these images, all of which have `leg` legs behind them; `findings`: `Findings::none` before the
  /// first. After the last one they are judged for good. Throws as `run` does.
  void run_leg(int64_t leg, const Classifier& classifier, const ThreatModel& threat, const AttackInput& input,
               const Rng& rng, Findings& findings) const;

  const AttackSettings& settings() const { return settings_; }
  Reach reach() const { return reach_; }

  /// Does it search on for the nearest success, wherever that lies, instead of stopping at one inside the ball?
  bool minimum_norm() const { return reach_ == Reach::Anywhere && settings_.nearest.value_or(true); }

  /// The arithmetic in which it searches on a classifier of this precision: bfloat16 where both the classifier and the
  /// attack's entry allow it, else float32.
  Precision search_precision(Precision precision) const;

  /// The names of the parts that `AttackResult::stage` counts; one for an attack that is no cascade.
  virtual std::vector<std::string> stages() const { return {"attack"}; }

  /// {"name", "norm", "eps", "steps", "alpha", "restarts", "loss", …} as they take effect.
  virtual nlohmann::json describe(const ThreatModel& threat) const = 0;

  /// The same with {"search_precision", "verdict_precision"}: "fp32" or "bf16", the arithmetic in which it searches on
  /// a classifier of this precision, and that of the verdict, float32 always. For a cascade also
  /// "search_precision_by_stage", an object, where its stages differ.
  nlohmann::json describe_on(Precision precision, const ThreatModel& threat) const;

 protected:
  /// One start. `search` holds the unsolved images and loses each as it is solved; returns when it is empty or the
  /// budget is spent.
  virtual void perturb(Search& search) const = 0;

  /// Into how many parts a start is cut, so that little is lost when a run is interrupted. `perturb` is called for each
  /// (`Search::part`); what the next one needs is kept by `Search::remember`.
  virtual int64_t parts(Norm, bool /*targeted*/, int64_t /*classes*/) const { return 1; }

  /// One part of a start of another attack on the images of `search`, in that attack's own settings and reach, with the
  /// noise of this label; for cascades.
  static void perturb_as(const Attack& attack, const std::string& label, int64_t part, Search& search);
  static int64_t parts_of(const Attack& attack, Norm norm, bool targeted, int64_t classes) {
    return attack.parts(norm, targeted, classes);
  }

  AttackSettings settings_;

 private:
  friend std::unique_ptr<Attack> make_attack(const std::string&, const AttackSettings&, Norm, bool);

  Reach reach_;
  Precision coarsest_ = Precision::Float32;
};

/// What an attack must see of the network: gradients, or logits alone, or the predicted class alone.
enum class Access { Gradients, Scores, Decisions };

const char* to_string(Access access);  ///< "gradients", "scores", "decisions"

/// What --alpha measures: |step| in the threat model's norm, what a single value moves by (the rate of Adam, say), or
/// the length in L2 whatever the norm.
enum class StepUnit { OfTheNorm, OfAPixel, OfL2 };

/// One attack, registered by its own file.
struct AttackEntry {
  static constexpr const char* kKind = "attack";
  std::string name;  ///< as in the papers, lower case
  std::string summary;
  Access access;
  std::vector<Norm> norms;
  bool targeted, untargeted;
  std::string cost;  ///< network passes per image and start
  std::string paper;
  std::unique_ptr<Attack> (*make)(const AttackSettings& settings);
  std::vector<std::string> settings;  ///< those of AttackSettings that it uses, as options: "steps", "random-start", …

  /// The coarsest arithmetic in which it may look at the network. bfloat16 keeps 8 bits of each activation, and logits
  /// come out right to 1 or 2 in 100. That is fine for a direction to go in, not for where the decision boundary lies
  /// or for differences of nearly equal logits. Float32 unless the attack's file says otherwise, and why.
  Precision search_precision = Precision::Float32;

  StepUnit alpha_unit = StepUnit::OfTheNorm;  ///< of an attack that uses "alpha"
};

/// The result of a run that has ended: of these images, with those findings and that many passes.
AttackResult attack_result(const Findings& findings, const torch::Tensor& x, Norm norm, bool pixel_grid,
                           int64_t forward, int64_t backward);

/// Throws UserError: unknown name, a norm or kind of goal that this attack does not know.
std::unique_ptr<Attack> make_attack(const std::string& name, const AttackSettings& settings, Norm norm, bool targeted);

/// A key for each image from its pixels (uint8 (N,C,H,W)): the same picture gets the same noise wherever it stands.
std::vector<int64_t> image_keys(const torch::Tensor& images);

}  // namespace fercli
