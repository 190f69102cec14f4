#pragma once

#include <string>
#include <vector>

#include "attacks/threat/emotion_goal.hpp"
#include "commands/options/model_options.hpp"
#include "data/dataset.hpp"
#include "models/classifier.hpp"

namespace fercli {

/// Where `fercli attack` takes its images from.
struct AttackSource {
  std::string data;                 ///< a data set; "" for the shipped faces
  std::vector<std::string> images;  ///< or these files
  std::string split = "auto";       ///< see Dataset::resolve_split
  bool skip_bad = false;
  std::string detect = "auto", detector = "haar";  ///< how faces are found in the files, as in `fercli predict`
};

struct AttackImages {
  Dataset dataset;
  std::string split;  ///< "PublicTest", …, or "all"
};

/// The images, of the size and channels in `read`, with labels in the order of its classes. Files are searched for
/// faces by the rule of `find_faces`, and each face is an image; what looks like a face crop is one. They get the
/// goal's source as label; images without a label get the network's own verdict. Throws UserError; RunError where a
/// file shows no face.
AttackImages load_attack_images(const AttackSource& source, const EmotionGoal& goal, const Classifier& classifier,
                                const ReadOptions& read);

}  // namespace fercli
