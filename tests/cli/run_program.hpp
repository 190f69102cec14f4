#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace fercli::test {

/// What one run of the real program gave.
struct ProgramResult {
  int exit_code;         ///< 128 + signal number when a signal ended it
  std::string out, err;  ///< stdout and stderr, whole
};

/// Runs `PROGRAM ARGUMENTS…` and waits for it. With `kill_when`, it is sent `signal_number` as soon as that becomes
/// true.
ProgramResult run_program(const std::string& program, const std::vector<std::string>& arguments,
                          const std::function<bool()>& kill_when = {}, int signal_number = 9);

/// The same with the fercli of this build.
ProgramResult run_fercli(const std::vector<std::string>& arguments, const std::function<bool()>& kill_when = {},
                         int signal_number = 9);

/// The same command inside this process, which saves starting the program for each test; messages go to `err` as `main`
/// would print them.
ProgramResult run_in_process(const std::vector<std::string>& arguments);

/// A folder of its own for one test, removed with it.
class ScratchFolder {
 public:
  ScratchFolder();
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace fercli::test
