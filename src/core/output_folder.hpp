#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "core/output_lock.hpp"
#include "core/output_part.hpp"

namespace fercli {

/// A folder that holds the results of one run at a time. They are written to a hidden folder inside it and take their
/// places together when the run is complete, so that
/// - a run that fails or is killed leaves the earlier results as they were,
/// - the files of an earlier run of the same command make room: no picture of it is left beside new results,
/// - the results of another command are never touched: such a folder is refused,
/// - other files in the folder stay, and links that lead out of it are not followed.
/// No other fercli can write there meanwhile.
class OutputFolder {
 public:
  /// What becomes of the files of a run that is killed, once the next one is there: they are swept, or, where each file
  /// is good by itself, those that are complete stay in a folder "unfinished".
  enum class Leftovers { Swept, Kept };

  /// Makes the folder, locks it, and sweeps what killed runs left. Throws UserError when another fercli writes there or
  /// another command's results are there, and as `throw_write_error`.
  OutputFolder(std::filesystem::path folder, std::string command, Leftovers leftovers = Leftovers::Swept);
  ~OutputFolder();  ///< without `complete` or `keep`, what was written is thrown away
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;

  const std::filesystem::path& path() const { return folder_; }  ///< where the results will be
  const std::filesystem::path& work() const;                     ///< where they are written until then

  /// Puts everything in `work` in its place. Throws as `throw_write_error`, and UserError where a link has the name of
  /// a folder of results; then what has no place yet stays, in a folder "unfinished" that the message names.
  void complete();

  struct Kept {
    int64_t files = 0;
    std::filesystem::path folder = {};  ///< empty where they are lost, or there are none
  };

  /// Of a run that ends before its time, where each file is good by itself: what is in `work` takes its place, or,
  /// beside results of an earlier run, stays in a folder "unfinished". Throws as `complete`.
  Kept keep();

 private:
  std::filesystem::path folder_;
  std::string command_;
  bool made_;  ///< by this run
  std::optional<OutputLock> lock_;
  std::optional<OutputPart> part_;
};

/// The command whose results the folder holds, by what OutputFolder left there; empty where that is none.
std::string command_of_results(const std::filesystem::path& folder);

}  // namespace fercli
