#pragma once

#include <torch/types.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace fercli {

/// What an attack has found so far for its N images, and all that is known of them between two legs of a run.
struct Findings {
  torch::Tensor x_adv;          ///< (N,C,H,W) the best image yet: a success before a failure; of two successes the
                                ///< nearer when the attack searches the nearest; else the lower margin
  torch::Tensor logits;         ///< (N,K) float32 network; valid where `success`
  torch::Tensor distance;       ///< (N) float64 of x_adv; valid where `success`
  torch::Tensor margin;         ///< (N) float32, margin_loss of the best image
  torch::Tensor success;        ///< (N) bool
  torch::Tensor float_success;  ///< (N) bool
  torch::Tensor done;           ///< (N) bool: nothing more is to be found
  torch::Tensor stage;          ///< (N) int64: see AttackResult; of an image without a success, which stage made x_adv
  std::map<std::string, torch::Tensor> memory = {};  ///< (N,…) what the attack itself keeps from one leg to the next

  /// Before the first leg. x: (N,C,H,W).
  static Findings none(const torch::Tensor& x, int64_t classes);

  /// Columns like those of `part`, of n rows, all 0.
  static Findings like(const Findings& part, int64_t n);

  /// The columns by name, those of `memory` behind "memory/".
  std::vector<std::pair<std::string, torch::Tensor>> columns() const;

  /// Sets one of them. Throws std::out_of_range on another name.
  void set_column(const std::string& name, const torch::Tensor& values);

  Findings select(const torch::Tensor& rows) const;  ///< rows: (M) int64

  /// Rows `rows` of what is kept in `memory` under this name become `values`.
  void remember(const std::string& name, const torch::Tensor& rows, const torch::Tensor& values);

  /// Rows `rows` of all become those of `part`.
  void put(const torch::Tensor& rows, const Findings& part);
};

}  // namespace fercli
