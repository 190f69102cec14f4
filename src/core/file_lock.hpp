#pragma once

#include <filesystem>

namespace fercli {

/// The kernel's lock on an open file (flock), asked for again when a signal comes in between. False with errno:
/// EWOULDBLOCK where another holds it, something else where the file system has no such locks.
bool lock_file(int file, int operation);

/// The open file is the one that has this name now.
bool is_file_at(int file, const std::filesystem::path& path);

}  // namespace fercli
