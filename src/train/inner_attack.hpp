#pragma once

#include <torch/types.h>

#include <functional>
#include <optional>

#include "core/random.hpp"
#include "train/training_model.hpp"

namespace fercli {

struct TrainingBatch;

/// Which mean and deviation BatchNorm takes while a training batch is attacked: the running ones (eval mode; the
/// attack works on a folded copy of the network, which is much faster), or the batch's own (train mode, which moves
/// the running ones too).
enum class Statistics { Running, Batch };

const char* to_string(Statistics statistics);  ///< "running", "batch"

/// The Linf attack of one training step.
struct InnerAttack {
  double eps, alpha;  ///< radius and step size, pixels in [0,1]
  int64_t steps;
  Statistics statistics;
  bool stops = false;  ///< at an interrupt, with Interrupted
  double risen = 1;    ///< eps as a share of what it rises to
};

/// The network as an attack inside a training step sees it: gradients with respect to the images only. While it lives
/// with batch statistics, the weights ask for no gradient.
class AttackedNetwork {
 public:
  /// size: side of the images.
  AttackedNetwork(const TrainingModel& model, Statistics statistics, int64_t size);
  ~AttackedNetwork();
  AttackedNetwork(const AttackedNetwork&) = delete;
  AttackedNetwork& operator=(const AttackedNetwork&) = delete;

  torch::Tensor logits(const torch::Tensor& x) const;  ///< float32 (N,K), no graph

  /// (N,K) logits -> d loss / d logits, same shape.
  using LogitGradient = std::function<torch::Tensor(const torch::Tensor& logits)>;

  /// d loss / d x, shape of x.
  torch::Tensor gradient(const torch::Tensor& x, const LogitGradient& at_logits) const;

 private:
  const TrainingModel& model_;
  std::optional<Classifier> folded_;   ///< running statistics
  std::vector<torch::Tensor> frozen_;  ///< batch statistics: the weights that get their gradients back
};

/// The gradient of the cross-entropy with the true labels.
AttackedNetwork::LogitGradient cross_entropy_ascent(const torch::Tensor& y);

/// The gradient of KL(p || softmax(logits)); p (N,K) float32 probabilities, held fixed.
AttackedNetwork::LogitGradient kl_ascent(const torch::Tensor& p);

/// `x_adv` moved into the Linf ball of radius eps around x and into [0,1].
torch::Tensor into_ball(const torch::Tensor& x_adv, const torch::Tensor& x, double eps);

/// Noise shaped like the batch's x, drawn evenly from [-radius, radius]. That of an image depends on (rng, its noise
/// key) alone: not on its place in the batch, nor on the images beside it.
torch::Tensor uniform_noise(const TrainingBatch& batch, double radius, const Rng& rng);

/// The same, normal of this standard deviation.
torch::Tensor normal_noise(const TrainingBatch& batch, double deviation, const Rng& rng);

/// A step size for several steps: reach * eps / steps, but at most 0.75 eps, which two or three steps would overshoot.
double crossing_alpha(double eps, int64_t steps, double reach);

/// `attack.steps` steps of alpha * sign(gradient) from x_adv, each moved back into the ball around x.
torch::Tensor ascend(const AttackedNetwork& network, const torch::Tensor& x, torch::Tensor x_adv,
                     const InnerAttack& attack, const AttackedNetwork::LogitGradient& at_logits);

/// The same on the cross-entropy, from a random point of the ball.
torch::Tensor ascend_from_random(const TrainingModel& model, const TrainingBatch& batch, const InnerAttack& attack,
                                 const Rng& rng, torch::Tensor& carried);

}  // namespace fercli
