#pragma once

#include <string>
#include <vector>

#include "core/options.hpp"

namespace fercli {

/// What a shell can offer for one value.
struct OptionValues {
  std::vector<std::string> words;       ///< fixed words
  bool list = false;                    ///< several of the words, separated by commas
  bool goal = false;                    ///< SOURCE-to-TARGET
  bool files = false, folders = false;  ///< files offer folders too, on the way to them
  std::vector<std::string> extensions;  ///< of files, without the dot; none: any
  bool known = true;                    ///< false: this program has not been taught what the value is
};

/// Of an option's value.
OptionValues values_of(const DeclaredOption& option);

/// Of the words without a dash, one entry for each word of the usage ("SOURCE DESTINATION"); the last one repeats.
std::vector<OptionValues> values_of_usage(const std::string& usage);

/// The emotions that a GOAL can name, in lower case.
std::vector<std::string> goal_emotions();

/// Their other names, English and French, as far as they need no accents.
std::vector<std::string> other_emotion_names();

}  // namespace fercli
