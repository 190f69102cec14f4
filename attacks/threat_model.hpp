#pragma once

#include <torch/types.h>

#include <string>

namespace fercli {

enum class Norm { Linf, L2 };

const char* to_string(Norm norm);           ///< "Linf", "L2"
Norm parse_norm(const std::string& word);   ///< any case; throws UserError

/// How far an adversary may go from the original: |x_adv - x|_norm <= eps, pixels in [0,1], x_adv in [0,1].
struct ThreatModel {
  Norm norm = Norm::Linf;
  double eps = 8 / 255.0;
};

/// What the adversary wants. The labels live here, so that true and target labels cannot be mixed up.
class Goal {
 public:
  static Goal untargeted(torch::Tensor y);      ///< (N) int64 true labels: any other class
  static Goal targeted(torch::Tensor target);   ///< (N) int64: this class

  bool is_targeted() const { return targeted_; }
  const torch::Tensor& labels() const { return labels_; }  ///< (N) int64: true labels, or targets

  /// (N) bool: is the goal reached for these logits (N,K)? The only success test in the program. NaN logits are no
  /// success; an exact tie at the top is won by the lower class number, as in argmax.
  torch::Tensor reached(const torch::Tensor& logits) const;

  Goal select(const torch::Tensor& rows) const;  ///< rows: (M) int64

 private:
  Goal(torch::Tensor labels, bool targeted) : labels_(std::move(labels)), targeted_(targeted) {}
  torch::Tensor labels_;
  bool targeted_;
};

}  // namespace fercli
