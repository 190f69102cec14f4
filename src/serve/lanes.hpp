#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/runtime.hpp"
#include "faces/face_detector.hpp"

namespace fercli {

/// The threads that do the work of a server: decoding, face detection and the network stay on few threads however many
/// connections there are, so that memory and caches stay in bounds. Work that finds the queue full is turned away.
class Lanes {
 public:
  /// `count` threads, each with its own face detector; `runtime.threads` threads for the network in each.
  Lanes(int64_t count, const std::function<std::unique_ptr<FaceDetector>()>& make_detector, const Runtime& runtime,
        size_t longest_queue);
  ~Lanes();  ///< finishes what was accepted
  Lanes(const Lanes&) = delete;
  Lanes& operator=(const Lanes&) = delete;

  /// Runs `work` on one of the lanes and waits for it; rethrows what it throws. Throws RequestError 503 when the queue
  /// is full.
  void run(const std::function<void(FaceDetector&)>& work);

  size_t waiting() const;

 private:
  using Task = std::packaged_task<void(FaceDetector&)>;
  void serve(FaceDetector& detector);

  Runtime runtime_;
  size_t longest_queue_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Task> tasks_;
  bool closing_ = false;
  std::vector<std::unique_ptr<FaceDetector>> detectors_;
  std::vector<std::thread> threads_;
};

}  // namespace fercli
