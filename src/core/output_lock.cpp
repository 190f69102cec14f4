#include "core/output_lock.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>

#include "core/error.hpp"
#include "core/files.hpp"
#include "core/text.hpp"

namespace fercli {

namespace {

namespace fs = std::filesystem;

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown";
}

/// Who holds a lock, as its file says; process 0 where it says nothing (yet).
struct Holder {
  pid_t process = 0;
  std::string host;

  bool is_here() const { return host == host_name(); }
  bool is_gone() const { return process == 0 || (is_here() && ::kill(process, 0) != 0 && errno == ESRCH); }
};

Holder read_holder(int file) {
  std::array<char, 512> text{};
  const ssize_t length = ::pread(file, text.data(), text.size() - 1, 0);
  const auto words = split(trim(std::string(text.data(), static_cast<size_t>(std::max<ssize_t>(length, 0)))), ' ');
  Holder holder;
  try {
    if (words.size() == 2) holder = {static_cast<pid_t>(parse_integer(words[0])), words[1]};
  } catch (const std::invalid_argument&) {  // no lock file of ours: nobody is known to hold it
  }
  return holder;
}

/// The text is for people and for file systems without locks; where it cannot be written, the kernel's lock still
/// holds.
void write_holder(int file) {
  const std::string text = fmt::format("{} {}\n", getpid(), host_name());
  if (::ftruncate(file, 0) != 0) return;
  const ssize_t written = ::pwrite(file, text.data(), text.size(), 0);
  static_cast<void>(written);
}

bool is_same_file(int file, const fs::path& path) {
  struct stat open {
  }, named{};
  return ::fstat(file, &open) == 0 && ::stat(path.c_str(), &named) == 0 && open.st_ino == named.st_ino &&
         open.st_dev == named.st_dev;
}

enum class Taken { Yes, No, Ours };

/// Takes the lock on an open file, by the kernel or, where it has none here, by what the file says.
Taken take(int file) {
  if (::flock(file, LOCK_EX | LOCK_NB) == 0) return Taken::Yes;
  const bool kernel_knows = errno == EWOULDBLOCK;
  const Holder holder = read_holder(file);
  if (holder.process == getpid() && holder.is_here()) return Taken::Ours;
  return !kernel_knows && holder.is_gone() ? Taken::Yes : Taken::No;
}

[[noreturn]] void refuse(const fs::path& place, const fs::path& lock, const Holder& holder) {
  const std::string who =
      holder.process > 0 ? fmt::format(" (process {} on {})", holder.process, holder.host) : std::string();
  const std::string way_out =
      holder.process > 0 && !holder.is_here() ? fmt::format(", or remove {} if that run is over", lock.string()) : "";
  throw UserError(fmt::format("{}: another fercli{} is writing there; wait for it, choose another place{}",
                              place.string(), who, way_out));
}

fs::path folder_of(const fs::path& file) {
  return file.has_parent_path() ? file.parent_path() : fs::path(".");
}

}  // namespace

OutputLock::OutputLock(fs::path file, const fs::path& place) : file_(std::move(file)) {
  for (;;) {
    number_ = ::open(file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (number_ < 0) throw_write_error(file_, errno);
    const Taken taken = take(number_);
    if (taken == Taken::Yes && is_same_file(number_, file_)) break;
    const Holder holder = read_holder(number_);
    ::close(number_);
    number_ = -1;
    if (taken == Taken::Ours) return;
    if (taken == Taken::No) refuse(place, file_, holder);
  }
  write_holder(number_);
}

OutputLock::OutputLock(OutputLock&& other) noexcept : file_(std::move(other.file_)), number_(other.number_) {
  other.number_ = -1;
}

OutputLock::~OutputLock() {
  if (number_ < 0) return;
  ::unlink(file_.c_str());  // first: whoever opened it meanwhile sees that it is gone, and makes another
  ::close(number_);
}

OutputLock OutputLock::of_folder(const fs::path& folder) {
  make_folder(folder);
  return {folder / ".fercli.lock", folder};
}

OutputLock OutputLock::of_file(const fs::path& file) {
  if (is_channel(file)) return OutputLock();
  std::error_code error;
  fs::path place = fs::weakly_canonical(file, error);
  if (error) place = fs::absolute(file);
  place = (place.lexically_normal() / "").parent_path();  // no slash at the end
  const fs::path folder = folder_of(place);
  make_folder(folder);
  OutputLock lock(folder / fmt::format(".{}.lock", place.filename().string()), file);
  sweep_parts(folder);
  return lock;
}

}  // namespace fercli
