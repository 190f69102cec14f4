#include "core/file_name.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/escape.hpp"
#include "core/text.hpp"

namespace fercli {

namespace {

constexpr size_t kLongestName = 120;

}  // namespace

std::string file_name_of(std::string_view text, const std::string& stem) {
  std::string name;
  for (const char letter : printable(text)) {
    name += std::string_view("/\\:*?\"<>|").find(letter) == std::string_view::npos ? letter : '_';
  }
  if (name.empty() || name[0] == '.' || name[0] == '-') name.insert(0, stem);
  return std::string(beginning_of(name, kLongestName));
}

std::vector<std::string> file_names_of(const std::vector<std::string>& texts, const std::string& stem) {
  std::vector<std::string> names;
  std::set<std::string> taken;
  for (const auto& text : texts) {
    const std::string wanted = file_name_of(text, stem);
    std::string name = wanted;
    for (int number = 2; !taken.insert(to_lower(name)).second; ++number) name = fmt::format("{}-{}", wanted, number);
    names.push_back(name);
  }
  return names;
}

std::string unused_name(const std::string& name, const std::vector<std::string>& taken) {
  const auto is_taken = [&](const std::string& word) {
    return std::find(taken.begin(), taken.end(), word) != taken.end();
  };
  std::string free = name;
  for (int number = 2; is_taken(free); ++number) free = fmt::format("{}-{}", name, number);
  return free;
}

}  // namespace fercli
