#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fercli {

std::string to_lower(std::string_view text);  ///< ASCII letters only; other bytes unchanged
std::string to_upper(std::string_view text);  ///< the same
std::string trim(std::string_view text);

/// The first bytes of UTF-8, at most `most`, that do not end inside a character.
std::string_view beginning_of(std::string_view text, size_t most);
std::vector<std::string> split(std::string_view text, char separator);  ///< pieces trimmed; "" gives {}
std::vector<std::string> split_lines(std::string_view text);            ///< as they are, without their line ends
std::string join(const std::vector<std::string>& pieces, std::string_view separator);

/// The candidate nearest to `word` in edit distance, or "" when none is near enough to be a slip of the finger.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

/// "; did you mean X?" or "".
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

/// Reads "0.03", "1e-2" or the fraction "8/255". Throws std::invalid_argument on anything else, trailing text included.
double parse_number(std::string_view text);

/// Reads a whole number. Throws std::invalid_argument.
int64_t parse_integer(std::string_view text);

}  // namespace fercli
