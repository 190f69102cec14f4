#include "data/each_image.hpp"

#include <ATen/Parallel.h>

#include <mutex>

#include "core/interrupt.hpp"

namespace fercli {

void for_each_image(const char* doing, int64_t images, int64_t together, const std::function<void(int64_t)>& work,
                    Observer& observer) {
  Followed progress(observer, {images, 0, "images", doing});
  std::mutex mutex;
  at::parallel_for(0, images, together, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end && !interrupted(); ++i) {
      work(i);
      const std::lock_guard lock(mutex);
      progress.advance(1);
    }
  });
  throw_if_interrupted();
}

}  // namespace fercli
