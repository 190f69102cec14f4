#pragma once

#include "attacks/engine/attack.hpp"

namespace fercli {

/// What became of images made on one network and shown to another.
struct TransferResult {
  AttackResult result;              ///< logits, success and float_success of the network attacked; `stage` is the
                                    ///< surrogate's; passes of both networks
  torch::Tensor surrogate_success;  ///< (N) bool: the float32 surrogate is fooled by x_adv
};

/// The settings an attack needs to make images that transfer: it goes on past the first success on the surrogate to the
/// end of its budget and keeps the image deepest in the goal class, because images at the surrogate's border rarely
/// cross another network's. A `confidence` that the user chose stays.
AttackSettings transfer_settings(AttackSettings settings);

/// The same goal in the surrogate's class numbers. Throws UserError: the surrogate lacks a class.
Goal goal_on_surrogate(const Goal& goal, const LabelSet& classes, const LabelSet& surrogate);

/// Shows what an attack made on a surrogate to the float32 `classifier`: its answers become those of the result.
/// `input` counts classes as `classifier` does.
void show_transferred(const Classifier& classifier, Norm norm, bool pixel_grid, const AttackInput& input,
                      AttackResult& result);

/// Papernot et al., "Transferability in machine learning", arXiv:1605.07277: the attack sees the surrogate alone, and
/// the result is judged by the float32 `classifier`, which is asked twice per image, before and after. Where the
/// original is in the goal class of `classifier` already, it is the result. `input.goal` counts classes as `classifier`
/// does; the surrogate's are found by name. Both networks take their own input size from x. Throws UserError: the
/// surrogate lacks a class, and what `Attack::run` throws.
TransferResult run_transfer(const Attack& attack, const Classifier& surrogate, const Classifier& classifier,
                            const ThreatModel& threat, const AttackInput& input, const Rng& rng);

}  // namespace fercli
