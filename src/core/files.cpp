#include "core/files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "core/build_info.hpp"
#include "core/error.hpp"
#include "core/file_lock.hpp"
#include "core/output_part.hpp"

namespace fercli {

namespace fs = std::filesystem;

namespace {

/// What is there in place of a regular file, in words.
const char* kind_of_file(mode_t mode) {
  if (S_ISDIR(mode)) return "is a folder, not a file";
  if (S_ISFIFO(mode)) return "is a pipe, not a file";
  if (S_ISSOCK(mode)) return "is a socket, not a file";
  return "is a device, not a file";
}

[[noreturn]] void throw_read_error(const fs::path& path, int error) {
  if (error == ENOENT || error == ENOTDIR) throw UserError(fmt::format("{}: no such file", path.string()));
  if (error == ENXIO) throw UserError(fmt::format("{}: {}", path.string(), kind_of_file(S_IFSOCK)));
  throw UserError(fmt::format("{}: cannot be read ({})", path.string(), std::strerror(error)));
}

void require_regular(const fs::path& path, const struct stat& status) {
  if (!S_ISREG(status.st_mode)) throw UserError(fmt::format("{}: {}", path.string(), kind_of_file(status.st_mode)));
}

constexpr std::string_view kPointerStart = "version https://git-lfs.github.com/spec/";
constexpr size_t kLongestPointer = 1024;  // by the format's own rule

/// What `git clone` leaves in place of a large file.
void refuse_pointer(const fs::path& path, std::string_view content) {
  if (content.size() > kLongestPointer || content.substr(0, kPointerStart.size()) != kPointerStart) return;
  throw UserError(
      fmt::format("{}: is a Git LFS pointer, not the file itself; fetch that with `git lfs pull`", path.string()));
}

/// Closes a file that is only read.
struct ReadHandle {
  int number;
  ~ReadHandle() { ::close(number); }
};

}  // namespace

void require_file(const fs::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) throw_read_error(path, errno);
  require_regular(path, status);
  if (static_cast<size_t>(status.st_size) > kLongestPointer) return;
  std::string start(kPointerStart.size(), '\0');
  const ReadHandle file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  const ssize_t got = file.number < 0 ? 0 : ::read(file.number, start.data(), start.size());
  start.resize(static_cast<size_t>(std::max<ssize_t>(0, got)));
  refuse_pointer(path, start);
}

std::string read_file(const fs::path& path) {
  require_file(path);  // opening a device may already do something
  const ReadHandle file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  struct stat status {};
  if (file.number < 0 || ::fstat(file.number, &status) != 0) throw_read_error(path, errno);
  require_regular(path, status);
  constexpr size_t kBlockOfUnknown = 1 << 16;  // files in /proc tell no size
  std::string content(std::max<size_t>(static_cast<size_t>(status.st_size) + 1, kBlockOfUnknown), '\0');
  size_t length = 0;
  for (;;) {
    if (length == content.size()) content.resize(2 * length);
    const ssize_t got = ::read(file.number, content.data() + length, content.size() - length);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_read_error(path, errno);
    if (got == 0) break;
    length += static_cast<size_t>(got);
  }
  content.resize(length);
  refuse_pointer(path, content);
  return content;
}

namespace {

/// What fails for want of the machine, whatever path was given.
bool is_of_machine(int error) {
  for (const int of_machine : {ENOSPC, EDQUOT, EFBIG, EIO, EPIPE, ENOMEM}) {
    if (error == of_machine) return true;
  }
  return false;
}

}  // namespace

void throw_write_error(const fs::path& path, int error) {
  const std::string message =
      fmt::format("{}: cannot be written ({})", final_name(path).string(), std::strerror(error));
  if (is_of_machine(error)) throw RunError(message);
  throw UserError(message);
}

OutputFile::OutputFile(const fs::path& path, fs::path shown)
    : path_(path), shown_(std::move(shown)), file_(std::fopen(path.c_str(), "wbe")) {
  if (file_ == nullptr) throw_write_error(shown_, errno);
}

OutputFile::~OutputFile() {
  if (file_ != nullptr) std::fclose(file_);
}

void OutputFile::write(std::string_view content) {
  if (content.empty()) return;  // whose bytes may be nowhere, which fwrite must not be given
  if (std::fwrite(content.data(), 1, content.size(), file_) != content.size()) throw_write_error(shown_, errno);
}

void OutputFile::flush() {
  if (std::fflush(file_) != 0) throw_write_error(shown_, errno);
}

void OutputFile::close() {
  std::FILE* file = file_;
  file_ = nullptr;
  if (file == nullptr) return;
  const bool lost = !is_channel(path_) && !is_file_at(::fileno(file), path_);
  if (std::fclose(file) != 0) throw_write_error(shown_, errno);
  if (lost) {
    throw RunError(fmt::format("{}: was removed or replaced while it was being written; what was written is lost",
                               final_name(shown_).string()));
  }
}

void make_folder(const fs::path& path) {
  std::error_code error;
  if (path.empty() || fs::is_directory(path, error)) return;
  fs::create_directories(path, error);
  if (is_of_machine(error.value())) throw_write_error(path, error.value());
  if (error) throw UserError(fmt::format("{}: the folder cannot be made ({})", path.string(), error.message()));
}

bool lies_in(const fs::path& path, const fs::path& folder) {
  return std::mismatch(folder.begin(), folder.end(), path.begin(), path.end()).first == folder.end();
}

fs::path behind_links(const fs::path& path) {
  std::error_code error;
  const fs::path real = fs::is_symlink(path, error) ? fs::canonical(path, error) : path;
  return error || real.empty() ? path : real;
}

bool is_channel(const fs::path& path) {
  std::error_code error;
  const auto status = fs::status(path, error);
  return fs::is_character_file(status) || fs::is_block_file(status) || fs::is_fifo(status) || fs::is_socket(status);
}

void replace_file(const fs::path& name, const std::function<void(const fs::path&)>& write) {
  if (is_channel(name)) return write(name);
  const fs::path path = behind_links(name);
  make_folder(path.parent_path());
  const OutputPart part(path);
  write(part.path());
  part.put_in_place();
}

void write_file(const fs::path& path, std::string_view content) {
  replace_file(path, [&](const fs::path& temporary) {
    OutputFile file(temporary, path);
    file.write(content);
    file.close();
  });
}

void require_other_file(const std::string& option, const fs::path& output, const fs::path& input) {
  std::error_code error;
  if (fs::equivalent(output, input, error)) {
    throw UserError(fmt::format("{} {}: would overwrite the input {}", option, output.string(), input.string()));
  }
}

fs::path find_shipped(const fs::path& relative) {
  std::vector<fs::path> roots;
  if (const char* folder = std::getenv("FERCLI_DATA")) roots.emplace_back(folder);
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  if (!error) {
    roots.push_back(program.parent_path() / FERCLI_DATA_FOLDER / "fercli");
    // Of another program, in bin, that uses the library.
    roots.push_back(program.parent_path().parent_path() / "share" / "fercli");
  }
  const fs::path sources = source_folder();
  if (!sources.empty()) roots.push_back(sources / "results");
  for (const auto& root : roots) {
    if (fs::exists(root / relative, error)) return root / relative;
  }
  return {};
}

}  // namespace fercli
