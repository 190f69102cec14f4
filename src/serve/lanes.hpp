#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/clock.hpp"
#include "core/runtime.hpp"
#include "faces/face_detector.hpp"

namespace fercli {

struct LaneSettings {
  int64_t count = 1;              ///< threads
  std::string detector = "haar";  ///< each thread has its own
  SmallestFace smallest_face;
  Runtime runtime;  ///< threads: of the network, in each lane
  size_t longest_queue = 128;
  double work_seconds = 30;  ///< from the moment when work comes to its end
};

/// The threads that do the work of a server: decoding, face detection and the network stay on few threads however many
/// connections there are, so that memory and caches stay in bounds. Work that would be late is turned away before it
/// starts; work that turns out late finds a Deadline passed.
class Lanes {
 public:
  using Work = std::function<void(FaceDetector&)>;

  explicit Lanes(const LaneSettings& settings);  ///< throws RunError when the threads cannot be had
  ~Lanes();                                      ///< finishes what was accepted
  Lanes(const Lanes&) = delete;
  Lanes& operator=(const Lanes&) = delete;

  /// Runs `work` on one of the lanes and waits for it; rethrows what it throws. Throws RequestError 503, without
  /// having started, when the queue is full or the work would end late: works of one `kind` take about as long as each
  /// other.
  void run(const std::string& kind, const Work& work);

  /// The same of several works, on as many lanes as are free; what each throws, in their order, nullptr of those that
  /// throw nothing.
  std::vector<std::exception_ptr> run_all(const std::string& kind, const std::vector<Work>& works);

  size_t waiting() const;
  int64_t count() const { return settings_.count; }

  /// Whether work of this kind would be taken now.
  bool takes(const std::string& kind) const;

 private:
  struct Task {
    std::string kind;
    Clock::time_point accepted, deadline;
    std::packaged_task<void(FaceDetector*)> work;  ///< given no detector, it turns itself away
  };

  void serve(FaceDetector& detector);
  void finish();
  std::future<void> add(const std::string& kind, const Work& work);
  bool has_room(const std::string& kind) const;  ///< the mutex is held
  bool is_too_late(const Task& task) const;
  double usual_seconds(const std::string& kind) const;
  void note_seconds(const std::string& kind, double seconds);

  LaneSettings settings_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Task> tasks_;
  std::map<std::string, double> usual_seconds_;
  bool closing_ = false;
  std::vector<std::unique_ptr<FaceDetector>> detectors_;
  std::vector<std::thread> threads_;
};

}  // namespace fercli
