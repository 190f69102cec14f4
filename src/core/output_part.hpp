#pragma once

#include <filesystem>

namespace fercli {

/// A file or folder while it is being written: hidden, beside its place, of the same extension, under a name that no
/// other writer has. Beside it lies a small file that the kernel keeps locked (flock) until this writer is done or
/// dead, in whichever container or machine it runs; `sweep_parts` asks for that lock and for nothing else.
class OutputPart {
 public:
  /// Takes the lock; what writes makes the part itself. The folder must exist. Throws as `throw_write_error`.
  explicit OutputPart(std::filesystem::path place);
  ~OutputPart();  ///< removes the part where it was not put in its place
  OutputPart(const OutputPart&) = delete;
  OutputPart& operator=(const OutputPart&) = delete;

  const std::filesystem::path& path() const { return path_; }  ///< where it is written

  /// Renames it to its place. Throws as `throw_write_error`.
  void put_in_place() const;

 private:
  std::filesystem::path place_, path_, lock_;
  int number_ = -1;  ///< of the open lock file; -1: inside another part, whose lock holds for this one too
};

/// The places that OutputFolder gives to its hidden folders, which are in no final name. A kept one outlives a run that
/// is killed.
inline constexpr const char *kResultsPart = "results", *kKeptResultsPart = "results.kept";

/// What has not taken its place keeps this name.
inline constexpr const char* kUnfinished = "unfinished";

/// Where something written below a hidden folder of an OutputPart will be in the end: the path without that folder. Of
/// a part with a very long name, only the beginning of that is known.
std::filesystem::path final_name(const std::filesystem::path& path);

/// Gives a file or folder this name, or, where that is taken, the first free one with a number behind its stem. Returns
/// it; empty where that fails.
std::filesystem::path keep_as(const std::filesystem::path& from, const std::filesystem::path& name);

/// Removes what dead writers left in this folder as parts: those whose lock is free or gone. Videos (.avi, .mp4) are
/// kept as NAME.unfinished.EXT, and what is complete in kept results as a folder "unfinished", with a warning that says
/// so. Where the file system has no locks, parts stay.
void sweep_parts(const std::filesystem::path& folder);

}  // namespace fercli
