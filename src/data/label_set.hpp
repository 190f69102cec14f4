#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fercli {

/// What the program knows about one emotion.
struct Emotion {
  std::string name;                  ///< "Happy"; the spelling in files, JSON and flags
  std::string french;                ///< "Heureux"
  std::string emoji;                 ///< UTF-8
  std::vector<std::string> aliases;  ///< lower case, English and French: "happiness", "joie", …
};

/// FER2013's seven emotions in its CSV order (Angry, Disgust, Fear, Happy, Sad, Surprise, Neutral), then Contempt.
const std::vector<Emotion>& emotions();

/// The emotion with this name or alias, in any case and with or without French accents; nullptr if there is none.
const Emotion* find_emotion(std::string_view word);

/// The orders that `LabelSet::parse` knows by name, for texts.
inline constexpr const char* kLabelOrders = "fer2013, ferplus, alphabetical, raf-db, affectnet7, affectnet8";

/// Class names in the order of a network's outputs or a data set's label numbers.
class LabelSet {
 public:
  LabelSet() = default;
  /// What would steer a terminal, or is no UTF-8, becomes visible in the names (`printable`).
  explicit LabelSet(std::vector<std::string> names);

  static LabelSet fer2013();       ///< Angry, Disgust, Fear, Happy, Sad, Surprise, Neutral
  static LabelSet alphabetical();  ///< Angry, Disgust, Fear, Happy, Neutral, Sad, Surprise
  static LabelSet raf_db();        ///< folders 1–7: Surprise, Fear, Disgust, Happy, Sad, Angry, Neutral
  static LabelSet ferplus();       ///< Neutral, Happy, Surprise, Sad, Angry, Disgust, Fear, Contempt
  static LabelSet affectnet7();    ///< Neutral, Happy, Sad, Surprise, Fear, Disgust, Angry
  static LabelSet affectnet8();    ///< the same, then Contempt

  /// One of `kLabelOrders` ("affectnet" is affectnet7), or names separated by commas. Throws UserError.
  static LabelSet parse(const std::string& text);

  int64_t size() const { return static_cast<int64_t>(names_.size()); }
  const std::vector<std::string>& names() const { return names_; }
  const std::string& name(int64_t index) const { return names_.at(static_cast<size_t>(index)); }

  std::optional<int64_t> find(std::string_view word) const;  ///< by name or alias, any case
  int64_t index(std::string_view word) const;                ///< throws UserError with the known names and the nearest

  bool has_same_names(const LabelSet& other) const;  ///< in whatever order

  /// For each class of `other`, its index here; -1 where this set lacks it. Conversion is by name, never by number.
  std::vector<int64_t> mapping_from(const LabelSet& other) const;

  bool operator==(const LabelSet& other) const { return names_ == other.names_; }
  bool operator!=(const LabelSet& other) const { return !(*this == other); }

 private:
  std::vector<std::string> names_;
};

/// The name to show for a class: `language` is "en" or "fr"; unknown classes keep their name.
std::string display_name(const std::string& name, const std::string& language);

/// The number of the most probable class; of equals, the lowest.
int64_t top_of(const std::vector<double>& probabilities);

}  // namespace fercli
