#pragma once

#include <cstdlib>
#include <string>

#include "tests/cli/run_program.hpp"

namespace fercli::test {

/// While it lives, commands find no gnuplot and leave figures out with a warning: for tests of something else, since
/// figures take longer than most of what a report says.
class WithoutGnuplot {
 public:
  WithoutGnuplot() { setenv("PATH", empty_.path().c_str(), 1); }
  ~WithoutGnuplot() { setenv("PATH", path_.c_str(), 1); }
  WithoutGnuplot(const WithoutGnuplot&) = delete;
  WithoutGnuplot& operator=(const WithoutGnuplot&) = delete;

 private:
  const std::string path_ = std::getenv("PATH");
  const ScratchFolder empty_;
};

}  // namespace fercli::test
