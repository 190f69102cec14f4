// What makes a program of the plain targets alone.
#include "tests/fuzz/targets.hpp"

namespace fercli::test {

const std::vector<FuzzTarget>& fuzz_targets() {
  static const std::vector<FuzzTarget> all = plain_targets();
  return all;
}

}  // namespace fercli::test
