#include "serve/lanes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>

#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "live/steady_memory.hpp"
#include "serve/upload.hpp"

namespace fercli {

namespace {

/// Work that waited less found a free lane: it is tried however long its like took before.
constexpr double kFreeLaneSeconds = 0.01;
/// How much the latest work counts in what is usual.
constexpr double kLatestShare = 0.2;
/// About 30 years; the clock has no room for ten times as many.
constexpr double kMostWorkSeconds = 1e9;

[[noreturn]] void turn_work_away() {
  throw RequestError(503, "the server is busy, try again");
}

}  // namespace

Lanes::Lanes(const LaneSettings& settings) : settings_(settings) {
  for (int64_t i = 0; i < settings.count; ++i)
    detectors_.push_back(make_face_detector(settings.detector, {settings.smallest_face}));
  threads_.reserve(detectors_.size());
  try {
    for (const auto& each : detectors_) threads_.emplace_back([this, &each] { serve(*each); });
  } catch (const std::system_error&) {
    finish();
    throw RunError(fmt::format(
        "fercli serve: the system gives {} of the {} threads for the work; give fewer --workers, or raise the limit "
        "(ulimit -u, or that of a container)",
        threads_.size(), settings.count));
  }
}

Lanes::~Lanes() {
  finish();
}

void Lanes::finish() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  changed_.notify_all();
  for (auto& thread : threads_) thread.join();
}

void Lanes::serve(FaceDetector& detector) {
  prepare_machine(settings_.runtime);  // the number of threads belongs to the thread that calls the network
  keep_memory_steady();
  const Uninterrupted to_the_end;  // a server that stops finishes what it accepted
  for (;;) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return closing_ || !tasks_.empty(); });
    if (tasks_.empty()) return;
    Task task = std::move(tasks_.front());
    tasks_.pop_front();
    const bool too_late = is_too_late(task);
    lock.unlock();
    const auto start = Clock::now();
    const Deadline deadline(task.deadline);
    task.work(too_late ? nullptr : &detector);
    if (!too_late) note_seconds(task.kind, seconds_since(start));
  }
}

bool Lanes::has_room(const std::string& kind) const {
  double wait = 0;
  for (const auto& task : tasks_) wait += usual_seconds(task.kind) / static_cast<double>(settings_.count);
  const bool late = !tasks_.empty() && wait + usual_seconds(kind) > settings_.work_seconds;
  return !closing_ && !late && tasks_.size() < settings_.longest_queue;
}

bool Lanes::takes(const std::string& kind) const {
  const std::lock_guard lock(mutex_);
  return has_room(kind);
}

std::future<void> Lanes::add(const std::string& kind, const Work& work) {
  const std::lock_guard lock(mutex_);
  if (!has_room(kind)) turn_work_away();
  const auto now = Clock::now();
  const std::chrono::duration<double> seconds(std::min(settings_.work_seconds, kMostWorkSeconds));
  const auto time = std::chrono::duration_cast<Clock::duration>(seconds);
  Task task{kind, now, now + time, std::packaged_task<void(FaceDetector*)>([work](FaceDetector* detector) {
              if (detector == nullptr) turn_work_away();
              work(*detector);
            })};
  auto done = task.work.get_future();
  tasks_.push_back(std::move(task));
  return done;
}

void Lanes::run(const std::string& kind, const Work& work) {
  const auto failure = run_all(kind, {work}).front();
  if (failure != nullptr) std::rethrow_exception(failure);
}

std::vector<std::exception_ptr> Lanes::run_all(const std::string& kind, const std::vector<Work>& works) {
  std::vector<std::exception_ptr> failures(works.size());
  std::vector<std::future<void>> done(works.size());
  const auto guarded = [&](size_t i, const auto& step) {
    try {
      step();
    } catch (...) {
      failures[i] = std::current_exception();
    }
  };
  for (size_t i = 0; i < works.size(); ++i) guarded(i, [&] { done[i] = add(kind, works[i]); });
  changed_.notify_all();
  for (size_t i = 0; i < works.size(); ++i) {
    if (done[i].valid()) guarded(i, [&] { done[i].get(); });
  }
  return failures;
}

bool Lanes::is_too_late(const Task& task) const {
  const auto now = Clock::now();
  const double left = std::chrono::duration<double>(task.deadline - now).count();
  const bool waited = std::chrono::duration<double>(now - task.accepted).count() > kFreeLaneSeconds;
  return left <= 0 || (waited && usual_seconds(task.kind) > left);
}

double Lanes::usual_seconds(const std::string& kind) const {
  const auto found = usual_seconds_.find(kind);
  return found != usual_seconds_.end() ? found->second : 0;
}

void Lanes::note_seconds(const std::string& kind, double seconds) {
  const std::lock_guard lock(mutex_);
  double& usual = usual_seconds_.try_emplace(kind, seconds).first->second;
  usual += kLatestShare * (seconds - usual);
}

size_t Lanes::waiting() const {
  const std::lock_guard lock(mutex_);
  return tasks_.size();
}

}  // namespace fercli
