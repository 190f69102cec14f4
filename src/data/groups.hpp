#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/observer.hpp"
#include "data/dataset.hpp"

namespace fercli {

/// What `data convert` writes beside the images of a folder, and what a folder is read with.
inline constexpr const char* kGroupsFile = "groups.csv";

/// The columns of a table about images (id or file, then any columns: skin tone, age, glasses, site) for these images,
/// in the order of `ids`; "" where the table says nothing. A column of numbers of more than 12 different values is cut
/// at its terciles over these images. Throws UserError: no such table, no column but the name, a column of more than 50
/// other values, or not one of the images in it.
std::vector<GroupColumn> read_groups(const std::string& file, const std::vector<std::string>& ids,
                                     Observer& observer = Observer::none());

/// As `read_groups` reads it; by rename.
void write_groups(const std::filesystem::path& file, const std::vector<std::string>& ids,
                  const std::vector<GroupColumn>& groups);

}  // namespace fercli
