#pragma once

#include <torch/types.h>

#include <optional>

#include "core/parameters.hpp"
#include "core/registry.hpp"
#include "train/inner_attack.hpp"
#include "train/training_model.hpp"

namespace fercli {

/// One step's images with their targets.
struct TrainingBatch {
  torch::Tensor x;           ///< float32 (N,C,H,W) in [0,1], on the model's device
  torch::Tensor y;           ///< int64 (N): the class that an attack leads away from (of mixed images, the larger part)
  torch::Tensor target;      ///< float32 (N,K): probabilities (smoothed, mixed)
  torch::Tensor weight;      ///< float32 (N): of each image, mean about 1
  torch::Tensor adjustment;  ///< float32 (K): added to the logits under the cross-entropy (logit adjustment)
  torch::Tensor x_adv = {};  ///< like x: the perturbed images; undefined in standard training
  Values parameters = {};    ///< of the loss
  int64_t first_row = 0;     ///< of these images in the step's batch, of which they may be a part
  double risen = 1;          ///< of the attack: its eps as a share of what it rises to
  std::vector<int64_t> noise_keys = {};  ///< (N): what the noise of each image is drawn by, besides the step

  TrainingBatch rows(int64_t begin, int64_t end) const;  ///< some of the images
};

struct LossOutput {
  torch::Tensor loss;    ///< scalar with a graph
  torch::Tensor logits;  ///< float32 (N,K) of the images that were learnt (perturbed ones in adversarial training),
                         ///< detached
};

/// What a loss expects of the attack inside each training step, and the settings of its paper.
struct AttackRecipe {
  std::string paper;
  int64_t steps;                               ///< gradients per batch
  Statistics statistics;                       ///< BatchNorm's, during the attack
  double (*alpha)(double eps, int64_t steps);  ///< the step size

  /// Returns x_adv, inside [0,1]. `memory` is undefined at first and kept from batch to batch, a resume included: one
  /// row for each image of a batch. Only a recipe that has `learn_from` may use it.
  torch::Tensor (*perturb)(const TrainingModel& model, const TrainingBatch& batch, const InnerAttack& attack,
                           const Rng& rng, torch::Tensor& memory);

  /// Where set, each batch is learnt `steps` times in a row, and this is given the gradient of the loss at x_adv, which
  /// the learning step leaves behind at no cost.
  void (*learn_from)(const torch::Tensor& gradient, const InnerAttack& attack, torch::Tensor& memory) = nullptr;

  bool searches = true;  ///< false: it looks for no image; the loss itself is about the whole ball
};

/// A training objective, one file each.
struct TrainingLoss {
  static constexpr const char* kKind = "loss";
  std::string name;
  std::string summary;
  LossOutput (*objective)(const TrainingModel& model, const TrainingBatch& batch);
  std::optional<AttackRecipe> attack = std::nullopt;  ///< none: standard training
  std::vector<Parameter> parameters = {};             ///< of its own; see `parameters_of`
};

/// All that a loss can be given: its own parameters and, where its attack searches, attack-steps, alpha and
/// attack-statistics, by default those of its paper.
std::vector<Parameter> parameters_of(const TrainingLoss& loss);

/// Names of the losses that train on perturbed images.
std::vector<std::string> adversarial_losses();

/// -sum_k target_k log softmax(logits)_k, weighted mean over the batch. Shapes (N,K), (N,K), (N).
torch::Tensor soft_cross_entropy(const torch::Tensor& logits, const torch::Tensor& target, const torch::Tensor& weight);

/// The batch's cross-entropy: soft targets, image weights, logit adjustment (Menon et al., arXiv:2007.07314, eq. 10).
torch::Tensor label_loss(const torch::Tensor& logits, const TrainingBatch& batch);

/// sum_k p_k (log p_k - log q_k) for each image, p and q the softmax of (N,K) logits -> (N).
torch::Tensor kl_divergence(const torch::Tensor& p_logits, const torch::Tensor& q_logits);

/// The objective of plain adversarial training: `label_loss` at x_adv.
LossOutput perturbed_label_loss(const TrainingModel& model, const TrainingBatch& batch);

}  // namespace fercli
