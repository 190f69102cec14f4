#pragma once

#include <cstdint>
#include <string>

namespace fercli {

/// "1 face", "2 faces", "0 faces".
inline std::string counted(int64_t count, const std::string& thing) {
  return std::to_string(count) + " " + thing + (count == 1 ? "" : "s");
}

}  // namespace fercli
