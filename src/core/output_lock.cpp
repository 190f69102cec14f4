#include "core/output_lock.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <mutex>
#include <set>
#include <string>
#include <tuple>

#include "core/digest.hpp"
#include "core/error.hpp"
#include "core/file_lock.hpp"
#include "core/files.hpp"
#include "core/output_part.hpp"
#include "core/text.hpp"

namespace fercli {

namespace {

namespace fs = std::filesystem;

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown";
}

/// What makes a process's number mean a process: the kernel since its start, and the container (the namespace of
/// process numbers). Empty where that cannot be told.
std::string scope_of_numbers() {
  std::string kernel;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> kernel;
  std::error_code error;
  const std::string numbers = fs::read_symlink("/proc/self/ns/pid", error).string();
  return kernel.empty() || numbers.empty() ? "" : kernel + "/" + numbers;
}

/// Who holds a lock, as its file says; process 0 where it says nothing (yet).
struct Holder {
  pid_t process = 0;
  std::string host, scope;

  bool is_gone() const {
    if (process == 0) return true;
    return !scope.empty() && scope == scope_of_numbers() && ::kill(process, 0) != 0 && errno == ESRCH;
  }
};

Holder read_holder(int file) {
  std::array<char, 512> text{};
  const ssize_t length = ::pread(file, text.data(), text.size() - 1, 0);
  auto words = split(trim(std::string(text.data(), static_cast<size_t>(std::max<ssize_t>(length, 0)))), ' ');
  words.resize(3);
  try {
    return {static_cast<pid_t>(parse_integer(words[0])), words[1], words[2]};
  } catch (const std::invalid_argument&) {  // no lock file of ours: nobody is known to hold it
    return {};
  }
}

/// The text is for people and for file systems without locks; where it cannot be written, the kernel's lock still
/// holds.
void write_holder(int file) {
  const std::string text = fmt::format("{} {} {}\n", getpid(), host_name(), scope_of_numbers());
  if (::ftruncate(file, 0) != 0) return;
  const ssize_t written = ::pwrite(file, text.data(), text.size(), 0);
  static_cast<void>(written);
}

/// The lock files that this process holds, as the kernel knows them: a text could be that of another container's
/// process of the same number. A process that is forked off holds none of them.
struct HeldLocks {
  using Id = std::tuple<pid_t, dev_t, ino_t>;

  std::mutex guard;
  std::set<Id> files;

  static Id id_of(int file) {
    struct stat status {};
    if (::fstat(file, &status) != 0) return {};
    return {getpid(), status.st_dev, status.st_ino};
  }
};

HeldLocks& held_locks() {
  static HeldLocks locks;
  return locks;
}

enum class Taken { Yes, Ours, No, Unknown };

/// Takes the lock on an open file by the kernel. Only where that has none here, what the file says decides.
Taken take(int file) {
  if (held_locks().files.count(HeldLocks::id_of(file)) > 0) return Taken::Ours;
  if (lock_file(file, LOCK_EX | LOCK_NB)) return Taken::Yes;
  if (errno == EWOULDBLOCK) return Taken::No;
  return read_holder(file).is_gone() ? Taken::Yes : Taken::Unknown;
}

[[noreturn]] void refuse(const fs::path& place, const std::string& way_out, const Holder& holder) {
  const std::string who =
      holder.process > 0 ? fmt::format(" (process {} on {})", holder.process, holder.host) : std::string();
  throw UserError(fmt::format("{}: another fercli{} is writing there; wait for it, choose another place{}",
                              place.string(), who, way_out));
}

fs::path folder_of(const fs::path& file) {
  return file.has_parent_path() ? file.parent_path() : fs::path(".");
}

}  // namespace

OutputLock::OutputLock(fs::path file, const fs::path& place) : file_(std::move(file)) {
  const std::lock_guard guard(held_locks().guard);
  for (;;) {
    number_ = ::open(file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (number_ < 0) throw_write_error(file_, errno);
    const Taken taken = take(number_);
    if (taken == Taken::Yes && is_file_at(number_, file_)) break;
    const Holder holder = read_holder(number_);
    ::close(number_);
    number_ = -1;
    if (taken == Taken::Ours) return;
    const std::string way_out = fmt::format(", or remove {} if that run is over", file_.string());
    if (taken != Taken::Yes) refuse(place, taken == Taken::Unknown ? way_out : "", holder);
  }
  held_locks().files.insert(HeldLocks::id_of(number_));
  write_holder(number_);
}

OutputLock::OutputLock(OutputLock&& other) noexcept : file_(std::move(other.file_)), number_(other.number_) {
  other.number_ = -1;
}

OutputLock::~OutputLock() {
  if (number_ < 0) return;
  const std::lock_guard guard(held_locks().guard);
  held_locks().files.erase(HeldLocks::id_of(number_));
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
  constexpr size_t kLongName = 200;  // with more around it, a name may be longer than 255 bytes
  const std::string name = place.filename().string();
  OutputLock lock(folder / fmt::format(".{}.lock", name.size() > kLongName ? sha256_hex(name) : name), file);
  sweep_parts(folder);
  return lock;
}

}  // namespace fercli
