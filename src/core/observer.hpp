#pragma once

#include <memory>
#include <vector>

#include "core/notice.hpp"
#include "core/progress.hpp"

namespace fercli {

/// A piece of long work.
struct Work {
  int64_t total;
  int64_t done = 0;            ///< before it began
  std::string unit = "steps";  ///< of an attack: one leg on one image
  std::string doing = {};      ///< "Reading"; empty: as its observer calls it
};

/// Who follows long work. Library code shows nothing itself: it tells the observer that it is given.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void begin(const Work& /*work*/) {}  ///< inside other work, that waits
  virtual void at(const std::string& /*what*/) {}
  virtual void advance(int64_t /*worked*/, int64_t /*skipped*/) {}  ///< skipped: a broken image needs no more of them
  virtual void resumed(const std::string& /*file*/) {}
  virtual void say(const std::string& /*line*/) {}  ///< of a study: which part comes next
  virtual void end() {}

  static Observer& none();  ///< shows nothing
};

/// Work that an observer follows for as long as this lives.
class Followed {
 public:
  Followed(Observer& observer, const Work& work) : observer_(observer) { observer_.begin(work); }
  ~Followed() { observer_.end(); }
  Followed(const Followed&) = delete;
  Followed& operator=(const Followed&) = delete;

  void advance(int64_t worked) { observer_.advance(worked, 0); }

 private:
  Observer& observer_;
};

/// The progress line, and notices.
class ProgressObserver : public Observer {
 public:
  explicit ProgressObserver(std::string title = "Attacking") : title_(std::move(title)) {}
  void begin(const Work& work) override;
  void at(const std::string& what) override;
  void advance(int64_t worked, int64_t skipped) override;
  void resumed(const std::string& file) override;
  void say(const std::string& line) override { inform(line); }
  void end() override { lines_.pop_back(); }

  static ProgressObserver& terminal();  ///< one for all commands, as there is one terminal

 private:
  std::string title_;
  std::vector<std::unique_ptr<Progress>> lines_;
};

}  // namespace fercli
