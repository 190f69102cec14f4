#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/cli/run_program.hpp"

namespace fercli::test {

/// Skips the test that runs where fercli or the machine is without OpenMPI; lets root use it otherwise.
void require_mpirun();

/// `fercli WORDS…` in so many processes of mpirun, which draw no figures. With `kill_when`, mpirun is sent SIGINT as
/// soon as that becomes true.
ProgramResult run_mpirun(const std::string& ranks, const std::vector<std::string>& words,
                         const std::function<bool()>& kill_when = {});

}  // namespace fercli::test
