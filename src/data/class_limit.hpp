#pragma once

#include <cstddef>

namespace fercli {

/// Classes of a LabelSet, at most: comparing two orders, and a table of transitions, take the square of it.
constexpr size_t kMostClasses = 1000;

}  // namespace fercli
