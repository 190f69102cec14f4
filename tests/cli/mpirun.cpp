#include "tests/cli/mpirun.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>

namespace fercli::test {

void require_mpirun() {
  const auto module = std::filesystem::path(FERCLI_PROGRAM).parent_path() / "libfercli_mpi.so";
  if (!std::filesystem::exists(module) || std::system("command -v mpirun > /dev/null") != 0) {
    GTEST_SKIP() << "without OpenMPI";
  }
}

ProgramResult run_mpirun(const std::string& ranks, const std::vector<std::string>& words,
                         const std::function<bool()>& kill_when) {
  std::vector<std::string> all{"-c",
                               "OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 exec mpirun --oversubscribe "
                               "-np \"$0\" /usr/bin/env PATH=/nowhere \"$@\"",  // no gnuplot there
                               ranks, FERCLI_PROGRAM};
  all.insert(all.end(), words.begin(), words.end());
  return run_program("/bin/sh", all, kill_when, SIGINT);
}

}  // namespace fercli::test
