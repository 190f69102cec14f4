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

/// The name under which a file is written before it is renamed to `path`: hidden, beside it, of the same extension.
std::filesystem::path part_name(const std::filesystem::path& path);

/// Calls `write` with the name of a temporary file beside `path` (same extension), then renames it to `path`: a reader
/// never sees half a file, and an old file survives a failed write. Links are followed, and a device or pipe is written
/// itself. Missing folders are made. Throws UserError when the place cannot be written.
void replace_file(const std::filesystem::path& path, const std::function<void(const std::filesystem::path&)>& write);

/// `replace_file` with this content.
void write_file(const std::filesystem::path& path, std::string_view content);

/// Throws UserError when `output`, which `option` (such as "--out") names, is the very file `input`, under whatever
/// name.
void require_other_file(const std::string& option, const std::filesystem::path& output,
                        const std::filesystem::path& input);

/// A file or folder that ships with the program ("models/standard.pt", "faces"): looked for under $FERCLI_DATA, the
/// installed share folder beside the program, and the source tree's results/. Empty when there is none.
std::filesystem::path find_shipped(const std::filesystem::path& relative);

}  // namespace fercli
