#include "core/meant_levels.hpp"

#include <fmt/format.h>

namespace fercli {

std::string meant_levels(const std::string& word, double size, double most) {
  const bool fraction = word.find('/') != std::string::npos;
  return size <= most && !fraction ? fmt::format("; pixels are scaled to [0,1], did you mean {:g}/255?", size) : "";
}

}  // namespace fercli
