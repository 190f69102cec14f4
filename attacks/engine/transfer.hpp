#pragma once

#include "attacks/engine/attack.hpp"

namespace fercli {

/// The settings an attack needs to make images that transfer: it goes on past the first success on the surrogate to the
/// end of its budget and keeps the image deepest in the goal class, because images at the surrogate's border rarely
/// cross another network's. A `confidence` that the user chose stays.
AttackSettings transfer_settings(AttackSettings settings);

/// The same goal in the surrogate's class numbers. Throws UserError: the surrogate lacks a class.
Goal goal_on_surrogate(const Goal& goal, const LabelSet& classes, const LabelSet& surrogate);

/// Papernot et al., "Transferability in machine learning", arXiv:1605.07277: what an attack made on a surrogate alone
/// is judged by the float32 `classifier`, which is asked twice per image, before and after; its answers become those of
/// the result. Where the original is in the goal class of `classifier` already, it is the result. `input` counts
/// classes as `classifier` does.
void show_transferred(const Classifier& classifier, Norm norm, bool pixel_grid, const AttackInput& input,
                      AttackResult& result);

}  // namespace fercli
