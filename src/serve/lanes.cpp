#include "serve/lanes.hpp"

#include "core/interrupt.hpp"
#include "live/steady_memory.hpp"
#include "serve/upload.hpp"

namespace fercli {

Lanes::Lanes(int64_t count, const std::function<std::unique_ptr<FaceDetector>()>& make_detector, const Runtime& runtime,
             size_t longest_queue)
    : runtime_(runtime), longest_queue_(longest_queue) {
  for (int64_t i = 0; i < count; ++i) detectors_.push_back(make_detector());
  for (const auto& each : detectors_) threads_.emplace_back([this, &each] { serve(*each); });
}

Lanes::~Lanes() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  changed_.notify_all();
  for (auto& thread : threads_) thread.join();
}

void Lanes::serve(FaceDetector& detector) {
  prepare_machine(runtime_);  // the number of threads belongs to the thread that calls the network
  keep_memory_steady();
  const Uninterrupted to_the_end;  // a server that stops finishes what it accepted
  for (;;) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return closing_ || !tasks_.empty(); });
    if (tasks_.empty()) return;
    Task task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    task(detector);
  }
}

void Lanes::run(const std::function<void(FaceDetector&)>& work) {
  Task task(work);
  auto done = task.get_future();
  {
    const std::lock_guard lock(mutex_);
    if (closing_ || tasks_.size() >= longest_queue_) throw RequestError(503, "the server is busy, try again");
    tasks_.push_back(std::move(task));
  }
  changed_.notify_one();
  done.get();
}

size_t Lanes::waiting() const {
  const std::lock_guard lock(mutex_);
  return tasks_.size();
}

}  // namespace fercli
