#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "attacks/threat/threat_model.hpp"
#include "data/label_set.hpp"

namespace fercli {

/// What the user asks for in words: "happy-to-sad". Class numbers are those of `classes`.
struct EmotionGoal {
  std::optional<int64_t> source;  ///< none: any
  std::optional<int64_t> target;  ///< none: any class but the true one (untargeted)
  std::string name;               ///< "happy-to-sad", "any-to-sad", "happy-to-any", "untargeted": fit for a file name

  bool targeted() const { return target.has_value(); }

  /// Whether an image of this true class is one to attack.
  bool concerns(int64_t label) const { return source ? label == *source : label != target.value_or(-1); }

  Goal for_labels(const torch::Tensor& labels) const;  ///< labels: (N) int64
};

/// Reads SOURCE-to-TARGET in any language and case the label set knows, with "any" on either side, or "untargeted".
/// Throws UserError: another form, an unknown emotion (with the nearest), an emotion the classes lack, source = target.
EmotionGoal parse_emotion_goal(const std::string& text, const LabelSet& classes);

}  // namespace fercli
