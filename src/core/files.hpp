#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace fercli {

/// Whole content of a file. Throws UserError that names it.
std::string read_file(const std::filesystem::path& path);

/// Makes the folder and its parents. Throws UserError when that cannot be done.
void make_folder(const std::filesystem::path& path);

/// Calls `write` with the name of a temporary file beside `path` (same extension), then renames it to `path`: a reader
/// never sees half a file, and an old file survives a failed write. Missing folders are made. Throws UserError when
/// the place cannot be written.
void replace_file(const std::filesystem::path& path, const std::function<void(const std::filesystem::path&)>& write);

/// `replace_file` with this content.
void write_file(const std::filesystem::path& path, std::string_view content);

/// A file or folder that ships with the program ("models/standard.pt", "faces"): looked for under $FERCLI_DATA, the
/// installed share folder beside the program, and the source tree's results/. Empty when there is none.
std::filesystem::path find_shipped(const std::filesystem::path& relative);

}  // namespace fercli
