#pragma once

#include <cstdint>
#include <functional>

namespace fercli {

/// Calls `work` with the number of each image, on several threads, each taking at least `together` of them, under a
/// progress line that begins with `doing`. Throws Interrupted on Ctrl-C; then some images have had no call.
void for_each_image(const char* doing, int64_t images, int64_t together, const std::function<void(int64_t)>& work);

}  // namespace fercli
