#pragma once

#include <ATen/Parallel.h>

#include <condition_variable>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/ranks.hpp"

namespace fercli::test {

/// Ranks that are threads of this process.
class ThreadRanks : public Ranks {
 public:
  /// Where the parts are swapped.
  struct Table {
    explicit Table(size_t count) : parts(count) {}
    std::mutex mutex;
    std::condition_variable all_there;
    std::vector<std::vector<std::string>> parts;
    size_t waiting = 0, meetings = 0;

    /// Returns when all have come.
    void meet(std::unique_lock<std::mutex>& lock) {
      const size_t meeting = meetings;
      if (++waiting == parts.size()) {
        waiting = 0;
        ++meetings;
        all_there.notify_all();
      }
      all_there.wait(lock, [&] { return meetings != meeting; });
    }
  };

  ThreadRanks(std::shared_ptr<Table> table, int64_t number) : table_(std::move(table)), number_(number) {}
  int64_t number() const override { return number_; }
  int64_t count() const override { return static_cast<int64_t>(table_->parts.size()); }

 private:
  std::vector<std::string> swap(std::vector<std::string> parts) override {
    std::unique_lock lock(table_->mutex);
    table_->parts[static_cast<size_t>(number_)] = std::move(parts);
    table_->meet(lock);
    std::vector<std::string> received;
    for (const auto& from : table_->parts) received.push_back(from[static_cast<size_t>(number_)]);
    table_->meet(lock);
    return received;
  }

  std::shared_ptr<Table> table_;
  int64_t number_;
};

/// Runs `work` in so many ranks; what the first of them throws is thrown. Each computes with as many threads as the one
/// that starts them: LibTorch keeps their number per thread, and a new one takes what was set last in any of them.
inline void run_ranks(int64_t count, const std::function<void(std::shared_ptr<Ranks>)>& work) {
  const auto table = std::make_shared<ThreadRanks::Table>(static_cast<size_t>(count));
  std::vector<std::exception_ptr> faults(static_cast<size_t>(count));
  std::vector<std::thread> threads;
  const int computing = at::get_num_threads();
  for (int64_t number = 0; number < count; ++number) {
    threads.emplace_back([&, number] {
      at::set_num_threads(computing);
      try {
        work(std::make_shared<ThreadRanks>(table, number));
      } catch (...) {
        faults[static_cast<size_t>(number)] = std::current_exception();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  for (const auto& fault : faults) {
    if (fault) std::rethrow_exception(fault);
  }
}

}  // namespace fercli::test
