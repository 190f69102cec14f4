#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "tests/cli/run_program.hpp"

namespace fercli::test {

/// `synthetic:…` as a packed file, which is drawn once for all runs that read it.
inline std::string drawn_once(const std::string& source) {
  static const ScratchFolder folder;
  static std::map<std::string, std::string> files;
  auto& file = files[source];
  if (file.empty()) {
    file = (folder / (std::to_string(files.size()) + ".ferpack")).string();
    const auto drawn = run_in_process({"data", "convert", source, file});
    EXPECT_EQ(drawn.exit_code, 0) << drawn.err;
  }
  return file;
}

}  // namespace fercli::test
