#include "core/large_bytes.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "core/error.hpp"

namespace fercli {

namespace {

std::filesystem::path folder_for_large_bytes() {
  if (const char* given = std::getenv("TMPDIR"); given != nullptr && *given != '\0') return given;
  std::error_code error;  // /tmp may itself lie in memory
  return std::filesystem::is_directory("/var/tmp", error) ? "/var/tmp" : std::filesystem::temp_directory_path();
}

/// Open as long as this.
struct NamelessFile {
  explicit NamelessFile(const std::filesystem::path& folder) {
    std::string name = (folder / "fercli-XXXXXX").string();
    number = mkstemp(name.data());
    if (number >= 0) unlink(name.c_str());
  }
  ~NamelessFile() {
    if (number >= 0) close(number);
  }
  NamelessFile(const NamelessFile&) = delete;
  NamelessFile& operator=(const NamelessFile&) = delete;

  int number;
};

torch::Tensor mapped_bytes(int64_t count) {
  const auto folder = folder_for_large_bytes();
  const NamelessFile file(folder);
  const auto bytes = static_cast<size_t>(count);
  const auto fail = [&](int reason) {
    throw RunError(fmt::format("{}: has no room for {:.1f} GiB of images ({}); TMPDIR names another folder",
                               folder.string(), static_cast<double>(count) / (1 << 30), std::strerror(reason)));
  };
  if (file.number < 0) fail(errno);
  if (const int problem = posix_fallocate(file.number, 0, count); problem != 0) fail(problem);
  void* start = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.number, 0);
  if (start == MAP_FAILED) throw RunError(fmt::format("out of memory ({} bytes were asked for)", count));
  return torch::from_blob(
      start, {count}, [bytes](void* place) { munmap(place, bytes); }, torch::kUInt8);
}

}  // namespace

torch::Tensor make_bytes(int64_t count, int64_t in_memory) {
  return count > in_memory ? mapped_bytes(count) : torch::empty({count}, torch::kUInt8);
}

}  // namespace fercli
