#pragma once

#include <torch/types.h>

#include <string>
#include <vector>

namespace fercli {

/// The parts of a face that a mask can name: "eyes", "brows", "nose", "mouth", "cheeks", "forehead", "chin", "face",
/// "background" (all but "face").
const std::vector<std::string>& face_region_names();

/// Where that part lies in a face crop of the usual framing (FER2013's, and what `face_square` gives: eyes at 38 % of
/// the height, mouth at 76 %): (H,W) float32 of 0 and 1. The regions are fixed ellipses, drawn a little larger than the
/// features of an average head, because heads tilt and brows rise; they follow no landmark detector. On drawn faces,
/// whose geometry is known, they cover 99 % of the eyes and 94 % of the mouths (experiments/masks.md). Throws UserError
/// on an unknown name, with the nearest.
torch::Tensor face_region(const std::string& name, int64_t height, int64_t width);

/// The mask that `--mask TEXT` means, for `AttackInput::mask`: names of parts and image files separated by commas,
/// their union; what is light in a file (at least half of white) may change, a file of another size is resized. Returns
/// (C,H,W) float32 of 0 and 1, all channels alike. Throws UserError: unknown part, unreadable file, nothing may change.
torch::Tensor parse_masks(const std::string& text, int64_t channels, int64_t height, int64_t width);

}  // namespace fercli
