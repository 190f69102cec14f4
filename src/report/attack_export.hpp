#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "draw/attack_picture.hpp"
#include "eval/attack_evaluation.hpp"

namespace fercli {

/// Writes the adversarial image of every success and failure as FOLDER/adversarial/ID.png, and the images of the
/// smallest eps as FOLDER/minimal/ID.png; `file` and `minimal_file` then say where. Throws UserError when the folder
/// cannot be written.
void write_adversarial(std::vector<AttackedImage>& images, const std::filesystem::path& folder);

/// An id as a path below a folder: no "..", no empty parts, the image's extension replaced by ".png".
std::filesystem::path png_path(const std::string& id);

/// The image to show: a success before a failure, then the one where the less certain of the two verdicts is surest.
const AttackedImage& best_example(const std::vector<AttackedImage>& images, const EmotionGoal& goal);

/// original.png, adversarial.png (native, lossless), their …_enlarged.png and adversarial_attack.png.
void write_example(const AttackedImage& image, const PictureTexts& texts, const std::filesystem::path& folder);

/// One row per image: id, label, class and probability before and after, distances, quality, success, files.
std::string format_per_image_csv(const std::vector<AttackedImage>& images, const std::vector<std::string>& classes);

}  // namespace fercli
