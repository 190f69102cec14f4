#pragma once

#include <filesystem>

namespace fercli {

/// Keeps every other fercli from writing to a place while it lives. A lock is a small hidden file; the kernel's lock on
/// it (flock) decides, and goes with its process, so a killed run leaves none behind. The file also says who holds it:
/// for the message, and for file systems without such locks. There, a lock counts as left behind when its process, of
/// this container and since the machine's last start, is gone; of others that is not known. A process may lock a place
/// twice.
class OutputLock {
 public:
  /// For a folder, which is made: FOLDER/.fercli.lock. Throws UserError that names the other process, and as
  /// `throw_write_error`.
  static OutputLock of_folder(const std::filesystem::path& folder);

  /// For a file, or a folder that is replaced as a whole: .NAME.lock beside it (of a long name, its SHA-256). What
  /// killed runs left there is swept. A device or pipe needs no lock.
  static OutputLock of_file(const std::filesystem::path& file);

  OutputLock(OutputLock&& other) noexcept;
  OutputLock& operator=(OutputLock&&) = delete;
  ~OutputLock();  ///< removes the file

 private:
  OutputLock() = default;
  OutputLock(std::filesystem::path file, const std::filesystem::path& place);

  std::filesystem::path file_;
  int number_ = -1;  ///< of the open file; -1: the lock is another's, of this process
};

}  // namespace fercli
