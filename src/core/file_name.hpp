#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fercli {

/// The name of one file or folder made of an id, a class, a label, a person or a title: no separators of folders, no
/// control characters or bytes that are no UTF-8, nothing that a shell or another system would stumble over, no "."
/// or "-" in front, and at most 120 bytes. What has none of that stays as it is. `stem` begins the name where nothing
/// usable does.
std::string file_name_of(std::string_view text, const std::string& stem = "x");

/// `file_name_of` for each; names that would be equal (in upper or lower case) get a number.
std::vector<std::string> file_names_of(const std::vector<std::string>& texts, const std::string& stem = "x");

/// The name, or NAME-2, NAME-3, … when it is taken.
std::string unused_name(const std::string& name, const std::vector<std::string>& taken);

}  // namespace fercli
