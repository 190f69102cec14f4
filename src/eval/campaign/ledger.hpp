#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "attacks/engine/findings.hpp"
#include "eval/campaign/trial.hpp"

namespace fercli {

/// What one stage of an attack has cost at one budget.
struct StageCost {
  int64_t images = 0;                 ///< that came to it
  int64_t forward = 0, backward = 0;  ///< images through the network, for all that came

  void add(const StageCost& more);
};

/// What one attack did to the M images of a ledger.
struct AttackRecord {
  std::string name;
  Access access;
  bool minimum_norm = false;  ///< one run gave the whole eps grid
  bool single_step = false;
  bool transferred = false;  ///< made on a surrogate
  std::vector<std::string> stages;
  nlohmann::json settings;      ///< Attack::describe at the largest eps
  int64_t legs = 1;             ///< of each run, see `Attack::legs`
  torch::Tensor broken;         ///< (M) int64: the first budget at which the goal was reached; ladder.size(): none
  torch::Tensor logits;         ///< (M,K) float32 network, of the adversarial image
  torch::Tensor distance;       ///< (M) float64: how far that image is; infinite where the goal was not reached
  torch::Tensor stage;          ///< (M) int64: which of `stages` found it; -1: none
  torch::Tensor float_success;  ///< (M) bool: the goal was reached, on the pixel grid or off it
  torch::Tensor adversarial;    ///< uint8 (M,C,H,W): the image found, else the one nearest the goal at the last eps, or
                                ///< the original where nothing was attacked; undefined off the pixel grid
  std::vector<int64_t> forward, backward;    ///< images through the network at each budget
  std::vector<std::vector<StageCost>> cost;  ///< of `forward` and `backward`, the share of each of `stages`
  std::vector<double> seconds;               ///< at each budget
  torch::Tensor settled;                     ///< (M) int64: runs (one per budget, or one for all) decided so far
  torch::Tensor leg;                         ///< (M) int64: legs behind it of the run after those
  Findings open = {};                        ///< M rows, valid where `leg` > 0; undefined where there are none

  int64_t budgets() const { return static_cast<int64_t>(forward.size()); }
  int64_t runs() const { return minimum_norm ? 1 : budgets(); }
  torch::Tensor answer() const { return logits.argmax(1); }       ///< (M) int64; valid where broken
  torch::Tensor success() const { return broken.lt(budgets()); }  ///< (M) bool

  /// The columns that every record has (`adversarial` where it is defined), by name.
  std::vector<std::pair<const char*, torch::Tensor*>> columns();
};

/// The name, beside those of the attacks, of all of them taken together.
inline constexpr const char* kWorstCase = "worst";

/// What a trial found: columns over its images, of which every figure is computed. A ledger may be unfinished, or one
/// shard of a whole.
///
/// An image that the network misclassifies without an attack is not robust at any eps and is not attacked, unless the
/// trial says so. An image broken at some eps counts as broken at every larger one, because its adversarial image lies
/// in the larger ball too, and is not attacked there again. A minimum-norm attack runs once; an image is broken from
/// the first budget that holds the nearest success it found.
struct Ledger {
  std::vector<int64_t> rows;  ///< M rows of the data set, ascending: those the goal concerns
  torch::Tensor labels;       ///< (M) int64
  torch::Tensor verdict;      ///< (M) int64: what the float32 network says of the original
  torch::Tensor attacked;     ///< (M) bool
  std::vector<AttackRecord> attacks;
  nlohmann::json identity;  ///< what must be the same for a ledger to be gone on with or merged; "shard": [index, of]

  int64_t size() const { return labels.size(0); }
  torch::Tensor right() const { return verdict.eq(labels); }  ///< (M) bool

  /// (M) int64: what the network says of each image when the attack may use this budget; an image that the attack does
  /// not break keeps its clean verdict. Right exactly where the image is robust.
  torch::Tensor answers(const AttackRecord& attack, int64_t budget) const;

  /// All attacks taken together, named kWorstCase: each image by the attack that broke it at the smallest budget (of
  /// several, the first).
  AttackRecord worst() const;

  int64_t steps() const;  ///< legs of all attacks on all images
  int64_t done() const;   ///< of those, the ones that are decided
  bool finished() const { return done() == steps(); }

  /// (M) bool: every attack is through with the image.
  torch::Tensor through() const;

  /// The ledger of these places ((M') int64), with nothing counted yet.
  Ledger select(const torch::Tensor& places) const;

  /// What became of these places is what `part`, begun as `select(places)`, says; its counts are added.
  void put(const torch::Tensor& places, const Ledger& part);

  /// For another process. `from_bytes` throws as `load`.
  std::string bytes() const;
  static Ledger from_bytes(const std::string& bytes);

  /// Written by rename. Throws UserError when the place cannot be written.
  void save(const std::filesystem::path& path) const;

  /// Throws UserError: not a ledger, or damaged; or, with an identity, of a run that differs in something.
  static Ledger load(const std::filesystem::path& path);
  static Ledger load(const std::filesystem::path& path, const nlohmann::json& identity);

  /// The shards of one trial, in any order, as the ledger of a single run: the same but for the seconds. Throws
  /// UserError: shards of different runs, one missing, unfinished or there twice.
  static Ledger merge(const std::vector<Ledger>& shards);
};

}  // namespace fercli
