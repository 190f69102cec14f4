#pragma once

#include <torch/types.h>

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "core/numbers.hpp"

namespace fercli {

enum class Norm { Linf, L2, L1, L0 };  ///< L0 counts the values (pixel x channel) that differ

inline constexpr Norm kNorms[] = {Norm::Linf, Norm::L2, Norm::L1, Norm::L0};

/// What is usual in a norm; sizes with pixels in [0,1], in L0 counts of values.
struct NormFacts {
  const char* name;           ///< "Linf", "L2", "L1", "L0"
  const char* counts;         ///< of two 8-bit images, in whole numbers
  double least, most;         ///< eps, which is above 0 and finite
  double universal_most;      ///< eps for a perturbation of all faces
  const char* eps;            ///< for an attack on a face
  const char* universal_eps;  ///< for a perturbation of all faces
  const char* frame_eps;      ///< for an attack on a whole picture
  const char* eps_grid;       ///< for an evaluation
  double limit, resolution;   ///< up to where and how finely the smallest eps is searched
};
const NormFacts& facts_of(Norm norm);

const char* to_string(Norm norm);          ///< its name
Norm parse_norm(const std::string& word);  ///< any case; throws UserError
std::vector<std::string> norm_words();     ///< "linf", "l2", "l1", "l0"

/// What is wrong with an eps, and what may have been meant: "must be in (0, 1] in Linf; pixels are scaled to [0,1], did
/// you mean 8/255?"; "": nothing. `most`: less than is allowed else.
std::string eps_fault(Norm norm, const std::string& eps_text, double eps, double most = kInfinity);

/// (N,C,H,W) -> (N), bits independent of N and of the number of threads.
torch::Tensor row_sums(const torch::Tensor& values);

/// |delta|_norm of each image: (N,C,H,W) -> (N) float64. Its bits do not depend on N or on the number of threads.
torch::Tensor row_norms(const torch::Tensor& delta, Norm norm);

/// |x_adv - x| of each image in this norm: (N) float64. `pixel_grid`: both are 8-bit images, multiples of 1/255, whose
/// difference is counted in whole levels, so that the distance has no error but that of one division (L2: and of one
/// square root). Its bits do not depend on N or on the number of threads.
torch::Tensor distances(const torch::Tensor& x_adv, const torch::Tensor& x, Norm norm, bool pixel_grid);

/// Is distance <= eps? The one test of it in the program. Distances of 8-bit images (`pixel_grid`) are whole numbers of
/// levels (L2: their squares are), so that a rounding of the last bits of a double is all that is forgiven: no 8-bit
/// image lies between. Off the pixel grid the rounding of float32 pixels is. Infinite: no.
bool within(double distance, double eps, bool pixel_grid);
torch::Tensor within(const torch::Tensor& distance, const torch::Tensor& eps,
                     bool pixel_grid);                                             ///< (N) float64 -> bool
torch::Tensor within(const torch::Tensor& distance, double eps, bool pixel_grid);  ///< any shape, float64 -> bool

/// What eps means for 8-bit images.
struct LevelEps {
  int64_t most;     ///< Linf: levels; L1: the sum of the levels; L2: the sum of their squares; L0: values that differ
  double distance;  ///< the largest distance that this is, at most eps
};
LevelEps in_levels(Norm norm, double eps);

/// {"counts": NormFacts::counts, "at_most", "distance"}.
nlohmann::json describe_levels(Norm norm, double eps);

/// "eps 5.1/255 is 5 levels of 255, all that 8-bit images can hold", where 8-bit images cannot use eps to the full (in
/// L2: to a thousandth); "" elsewhere.
std::string levels_note(Norm norm, const std::string& eps_text, double eps);

/// How far an adversary may go from the original: |x_adv - x|_norm <= eps, pixels in [0,1], x_adv in [0,1].
struct ThreatModel {
  Norm norm = Norm::Linf;
  double eps = 8 / 255.0;
  torch::Tensor eps_per_image = {};  ///< (N) float64; where defined it replaces `eps`

  /// (N) float64. Throws UserError: an `eps_fault`, or a wrong number of them.
  torch::Tensor eps_rows(int64_t n) const;
};

/// What the adversary wants. The labels live here, so that true and target labels cannot be mixed up.
class Goal {
 public:
  static Goal untargeted(torch::Tensor y);     ///< (N) int64 true labels: any other class
  static Goal targeted(torch::Tensor target);  ///< (N) int64: this class

  bool is_targeted() const { return targeted_; }
  const torch::Tensor& labels() const { return labels_; }  ///< (N) int64: true labels, or targets
  int64_t size() const { return labels_.size(0); }

  /// (N) bool: is the goal reached for these logits (N,K)? The only success test in the program. NaN logits are no
  /// success; an exact tie at the top is won by the lower class number, as in argmax.
  torch::Tensor reached(const torch::Tensor& logits) const;

  /// (N) float32: the probability of the target, or of all classes but the true one.
  torch::Tensor probability(const torch::Tensor& logits) const;

  Goal select(const torch::Tensor& rows) const;  ///< rows: (M) int64
  Goal narrow(int64_t start, int64_t length) const;

 private:
  Goal(torch::Tensor labels, bool targeted) : labels_(std::move(labels)), targeted_(targeted) {}
  torch::Tensor labels_;
  bool targeted_;
};

}  // namespace fercli
