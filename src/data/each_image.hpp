#pragma once

#include <cstdint>
#include <functional>

#include "core/observer.hpp"

namespace fercli {

/// Calls `work` with the number of each image, on several threads, each taking at least `together` of them. The
/// observer is given what it is `doing`. Throws Interrupted on Ctrl-C; then some images have had no call.
void for_each_image(const char* doing, int64_t images, int64_t together, const std::function<void(int64_t)>& work,
                    Observer& observer);

}  // namespace fercli
