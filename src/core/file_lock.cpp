#include "core/file_lock.hpp"

#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>

namespace fercli {

bool lock_file(int file, int operation) {
  int failed;
  do {
    failed = ::flock(file, operation);
  } while (failed != 0 && errno == EINTR);
  return failed == 0;
}

bool is_file_at(int file, const std::filesystem::path& path) {
  struct stat open {
  }, named{};
  return ::fstat(file, &open) == 0 && ::stat(path.c_str(), &named) == 0 && open.st_ino == named.st_ino &&
         open.st_dev == named.st_dev;
}

}  // namespace fercli
