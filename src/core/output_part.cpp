#include "core/output_part.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "core/file_lock.hpp"
#include "core/files.hpp"
#include "core/notice.hpp"
#include "core/text.hpp"

namespace fercli {

namespace {

namespace fs = std::filesystem;

/// A name may have 255 bytes: of a long one, a part has only the beginning and the extension.
constexpr size_t kMostOfStem = 160, kLongestExtension = 32;

fs::path part_name(const fs::path& place, int64_t number) {
  const std::string stem = place.stem().string(), extension = place.extension().string();
  return place.parent_path() / fmt::format(".{}.{}.part{}", beginning_of(stem, kMostOfStem), number,
                                           extension.size() <= kLongestExtension ? extension : "");
}

/// The lock of the part with this number, which is swept as a part is.
fs::path lock_name(const fs::path& folder, int64_t number) {
  return part_name(folder / "fercli.lock", number);
}

/// The number in a name by `part_name`; none for other names.
std::optional<int64_t> number_of_part(const std::string& name) {
  constexpr std::string_view kPart = ".part";
  if (name.empty() || name[0] != '.') return {};
  for (size_t end = name.rfind(kPart); end != std::string::npos && end > 0; end = name.rfind(kPart, end - 1)) {
    const size_t after = end + kPart.size(), dot = name.rfind('.', end - 1);
    if ((after != name.size() && name[after] != '.') || dot == std::string::npos || dot == 0) continue;
    int64_t number = 0;
    const auto [stop, error] = std::from_chars(name.data() + dot + 1, name.data() + end, number);
    if (error == std::errc() && stop == name.data() + end && number > 0) return number;
  }
  return {};
}

/// A video is worth something though its end is missing: half a session can be seen.
bool is_video(const fs::path& part) {
  std::error_code error;
  const fs::path extension = part.extension();
  return (extension == ".avi" || extension == ".mp4") && !fs::is_empty(part, error) && !error;
}

bool is_kept_results(const fs::path& part) {
  std::error_code error;
  return part.filename().string().rfind(fmt::format(".{}.", kResultsPart), 0) == 0 &&
         part.extension() == fs::path(kKeptResultsPart).extension() &&
         fs::is_directory(fs::symlink_status(part, error));
}

void keep_what_is_complete(const fs::path& work) {
  const fs::path kept = keep_as(work, work.parent_path() / kUnfinished);
  if (kept.empty()) return;
  sweep_parts(kept);
  std::error_code error;
  if (fs::remove(kept, error)) return;  // nothing is left in there
  warn(fmt::format("{}: what a run that was killed had completed", kept.string()));
}

void sweep_part(const fs::path& part) {
  std::error_code ignored;
  if (is_kept_results(part)) return keep_what_is_complete(part);
  if (!is_video(part)) {
    fs::remove_all(part, ignored);
    return;
  }
  const fs::path name = final_name(part.filename());
  const fs::path kept = keep_as(
      part, part.parent_path() / fmt::format("{}.unfinished{}", name.stem().string(), name.extension().string()));
  if (!kept.empty()) warn(fmt::format("{}: what a run that was killed had recorded", kept.string()));
}

}  // namespace

// No living writer's part is swept, however young: the lock is made before the part and removed after it, so that a
// part without one has no writer; and of a lock that a sweeper gets before its maker, the maker sees that it is gone,
// and makes another.
OutputPart::OutputPart(fs::path place) : place_(std::move(place)) {
  const fs::path folder = place_.parent_path();
  const bool inside_another = final_name(folder) != folder;
  std::random_device random;
  for (;;) {
    const int64_t number = int64_t{random()} + 1;
    path_ = part_name(place_, number);
    if (inside_another) return;
    lock_ = lock_name(folder, number);
    number_ = ::open(lock_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (number_ < 0 && errno == EEXIST) continue;
    if (number_ < 0) throw_write_error(place_, errno);
    lock_file(number_, LOCK_EX);  // where there are no locks, nobody sweeps
    if (is_file_at(number_, lock_)) return;
    ::close(number_);
  }
}

OutputPart::~OutputPart() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
  if (number_ < 0) return;
  ::unlink(lock_.c_str());
  ::close(number_);
}

void OutputPart::put_in_place() const {
  std::error_code error;
  fs::rename(path_, place_, error);
  if (error) throw_write_error(place_, error.value());
}

fs::path final_name(const fs::path& path) {
  fs::path name;
  for (const auto& part : path) {
    std::string text = part.string();
    if (const auto number = number_of_part(text)) {
      const std::string mark = fmt::format(".{}.part", *number);
      const size_t place = text.rfind(mark);
      text = text.substr(1, place - 1) + text.substr(place + mark.size());
      if (text == kResultsPart || text == kKeptResultsPart) continue;
    }
    name /= text;
  }
  return name.empty() ? path : name;
}

fs::path keep_as(const fs::path& from, const fs::path& name) {
  std::error_code error;
  fs::path kept = name;
  for (int64_t i = 2; fs::exists(kept, error); ++i) {
    kept = name.parent_path() / fmt::format("{}{}{}", name.stem().string(), i, name.extension().string());
  }
  fs::rename(from, kept, error);
  return error ? fs::path() : kept;
}

void sweep_parts(const fs::path& folder) {
  std::error_code error;
  std::map<int64_t, std::vector<fs::path>> parts;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    if (entry->path().extension() == ".old") continue;  // a folder that was being replaced: the only whole one, perhaps
    if (const auto number = number_of_part(entry->path().filename().string())) parts[*number].push_back(entry->path());
  }
  for (const auto& [number, paths] : parts) {
    const fs::path lock = lock_name(folder, number);
    const int file = ::open(lock.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    const bool dead = file < 0 ? errno == ENOENT : lock_file(file, LOCK_EX | LOCK_NB) && is_file_at(file, lock);
    for (const auto& path : paths) {
      if (dead) sweep_part(path);
    }
    if (file >= 0) ::close(file);
  }
}

}  // namespace fercli
