#pragma once

#include <cstddef>
#include <string_view>

namespace fercli {

/// Insertions, deletions, substitutions and swaps of neighbours that make one of the other (optimal string alignment).
/// Letters are compared as they are.
size_t edit_distance(std::string_view a, std::string_view b);

}  // namespace fercli
