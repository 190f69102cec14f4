#pragma once

#include <cstdio>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace fercli {

/// Whole content of a regular file. Throws UserError that names it; a pipe, device or socket is refused unopened,
/// behind links too, as it may never end.
std::string read_file(const std::filesystem::path& path);

/// Throws UserError unless `path` leads to a regular file that exists: for everything that a library opens by its name.
void require_file(const std::filesystem::path& path);

/// Throws RunError when the machine gave out (disk full, quota, limit of a file's size, failed device), and UserError
/// when the place is wrong (no permission, no such folder). `error` is an errno.
[[noreturn]] void throw_write_error(const std::filesystem::path& path, int error);

/// A file that is written bit by bit. Every write is checked and throws as `throw_write_error`, by the name `shown`.
class OutputFile {
 public:
  explicit OutputFile(const std::filesystem::path& path) : OutputFile(path, path) {}
  OutputFile(const std::filesystem::path& path, std::filesystem::path shown);  ///< empties what is there
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  void write(std::string_view content);  ///< may stay in memory until `flush` or `close`
  void flush();
  void close();  ///< throws RunError too where the file was removed or replaced meanwhile

 private:
  std::filesystem::path path_, shown_;
  std::FILE* file_;
};

/// Makes the folder and its parents. Throws UserError when that cannot be done.
void make_folder(const std::filesystem::path& path);

/// Whether a path is this folder or lies below it. Both must be absolute, without dots and without a slash at the end.
bool lies_in(const std::filesystem::path& path, const std::filesystem::path& folder);

/// A device, pipe or socket, behind links too: it takes bytes, but nothing can be renamed to it.
bool is_channel(const std::filesystem::path& path);

/// What a link leads to; the path itself where it is none, or leads nowhere.
std::filesystem::path behind_links(const std::filesystem::path& path);

/// Calls `write` with the name of a temporary file beside `path` (same extension), then renames it to `path`: a reader
/// never sees half a file, and an old file survives a failed write. Links are followed, and a device or pipe is written
/// itself. Missing folders are made. Throws as `throw_write_error`.
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
