#pragma once

#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "attacks/threat/threat_model.hpp"
#include "core/parameters.hpp"
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

/// What every attack is given for its run, whatever its parameters are.
struct AttackRun {
  double confidence = 0;  ///< search on until the goal has this probability (above 1: to the end of the budget);
                          ///< success is counted without it
  bool pixel_grid =
      true;  ///< end on multiples of 1/255 inside the ball, so that an 8-bit file holds the result exactly
  std::optional<bool> nearest;  ///< minimum-norm attacks: search on for the nearest success (the default), or stop at
                                ///< the first inside the ball; attacks of a fixed budget always stop
  int64_t batch_size = 64;      ///< images per network call; results do not depend on it
  AttackTrace trace = {};       ///< called at every look; it changes nothing
};

/// What is asked of attacks; what is not given is each attack's default (`AttackEntry::parameters`).
struct AttackSettings : AttackRun {
  Given shared;                      ///< for every attack that has such a parameter; the others pay no attention
  std::map<std::string, Given> own;  ///< by the attack's name; they win over `shared`

  /// Adds to `shared`: set("steps", 40).
  template <class Value>
  AttackSettings& set(const std::string& name, const Value& value) {
    shared[name] = fmt::format("{}", value);
    return *this;
  }
};

/// What an attack is made with: all of its parameters, checked.
struct AttackSetup : AttackRun {
  std::string name;
  Values values;
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

  explicit Attack(AttackSetup setup, Reach reach = Reach::InsideBall);
  virtual ~Attack() = default;

  /// Throws UserError: shapes that do not fit, pixels outside [0,1], labels outside the classes, eps out of range;
  /// Interrupted on Ctrl-C.
  AttackResult run(const Classifier& classifier, const ThreatModel& threat, const AttackInput& input,
                   const Rng& rng) const;

  /// A run is `legs` legs, one after the other: of each start one, of an attack of several parts one for each. What is
  /// known between two of them are the findings, so that a run can be kept and gone on with, each image for itself.
  int64_t legs(Norm norm, bool targeted, int64_t classes) const { return restarts() * parts(norm, targeted, classes); }

  /// The next leg for these images, all of which have `leg` legs behind them; `findings`: `Findings::none` before the
  /// first. After the last one they are judged for good. Throws as `run` does.
  void run_leg(int64_t leg, const Classifier& classifier, const ThreatModel& threat, const AttackInput& input,
               const Rng& rng, Findings& findings) const;

  const AttackSetup& setup() const { return setup_; }
  Reach reach() const { return reach_; }

  /// Does it search on for the nearest success, wherever that lies, instead of stopping at one inside the ball?
  bool minimum_norm() const { return reach_ == Reach::Anywhere && setup_.nearest.value_or(true); }

  /// The arithmetic in which it searches on a classifier of this precision: bfloat16 where both the classifier and the
  /// attack's entry allow it, else float32.
  Precision search_precision(Precision precision) const;

  /// The names of the parts that `AttackResult::stage` counts; one for an attack that is no cascade.
  virtual std::vector<std::string> stages() const { return {"attack"}; }

  /// {"name", "norm", "eps", "pixel_grid"} and every parameter, as they take effect.
  nlohmann::json describe(const ThreatModel& threat) const;

  /// The same with {"search_precision", "verdict_precision"}: "fp32" or "bf16", the arithmetic in which it searches on
  /// a classifier of this precision, and that of the verdict, float32 always. For a cascade also
  /// "search_precision_by_stage", an object, where its stages differ.
  nlohmann::json describe_on(Precision precision, const ThreatModel& threat) const;

 protected:
  const Values& values() const { return setup_.values; }

  /// What `describe` adds: what a rule of the attack's makes of a parameter that was not given.
  virtual void add_facts(nlohmann::json& /*description*/, const ThreatModel& /*threat*/) const {}

  /// Does the first start begin at a random point where the caller names none? Else at the original.
  virtual bool random_start() const { return values().has("random-start") && values().flag("random-start"); }

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

  AttackSetup setup_;

 private:
  friend std::unique_ptr<Attack> make_attack(const std::string&, const AttackSettings&, Norm, bool);

  int64_t restarts() const { return values().has("restarts") ? values().whole("restarts") : 1; }

  Reach reach_;
  Precision coarsest_ = Precision::Float32;
};

/// What an attack must see of the network: gradients, or logits alone, or the predicted class alone.
enum class Access { Gradients, Scores, Decisions };

const char* to_string(Access access);  ///< "gradients", "scores", "decisions"

/// What the parameter alpha measures: |step| in the threat model's norm, what a single value moves by (the rate of
/// Adam, say), or the length in L2 whatever the norm.
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
  std::unique_ptr<Attack> (*make)(const AttackSetup& setup);
  std::vector<Parameter> parameters;  ///< those that many attacks have: `shared_parameter`

  /// The coarsest arithmetic in which it may look at the network. bfloat16 keeps 8 bits of each activation, and logits
  /// come out right to 1 or 2 in 100. That is fine for a direction to go in, not for where the decision boundary lies
  /// or for differences of nearly equal logits. Float32 unless the attack's file says otherwise, and why.
  Precision search_precision = Precision::Float32;

  StepUnit alpha_unit = StepUnit::OfTheNorm;  ///< of an attack that uses "alpha"
};

/// The parameters that many attacks have, and that have options of their own: steps, alpha, restarts, random-start,
/// loss, queries, targets, with their ranges and what they mean.
const std::vector<Parameter>& shared_parameters();

/// One of them with an attack's own default; "": the attack's rule, or the usual default.
Parameter shared_parameter(const std::string& name, const std::string& initial = "");

/// The confidence of `AttackRun`, for attacks that pay attention to it.
Parameter confidence_parameter();

/// The parameters of an attack with their ranges in this norm.
std::vector<Parameter> parameters_in(const AttackEntry& entry, Norm norm);

/// All that an attack is made with. Throws std::invalid_argument: a parameter that it lacks, a value out of range.
AttackSetup complete(const AttackEntry& entry, const AttackSettings& settings, Norm norm);

/// The result of a run that has ended: of these images, with those findings and that many passes.
AttackResult attack_result(const Findings& findings, const torch::Tensor& x, Norm norm, bool pixel_grid,
                           int64_t forward, int64_t backward);

/// Throws UserError: unknown name, a norm or kind of goal that this attack does not know, and what `complete` throws.
std::unique_ptr<Attack> make_attack(const std::string& name, const AttackSettings& settings, Norm norm, bool targeted);

/// A key for each image from its pixels (uint8 (N,C,H,W)): the same picture gets the same noise wherever it is in a
/// batch.
std::vector<int64_t> image_keys(const torch::Tensor& images);

}  // namespace fercli
