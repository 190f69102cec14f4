#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/progress.hpp"

namespace fercli {

/// Who follows how far a campaign or a study is. One step is one leg of an attack on one image, or one image.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void begin(int64_t /*steps*/, int64_t /*done*/) {}
  virtual void at(const std::string& /*attack*/) {}
  virtual void advance(int64_t /*worked*/, int64_t /*skipped*/) {}  ///< skipped: a broken image needs no more of them
  virtual void resumed(const std::string& /*file*/) {}
  virtual void say(const std::string& /*line*/) {}  ///< of a study: which part comes next
  virtual void end() {}

  static Observer& none();  ///< says nothing
};

/// The progress line and `inform`.
class ProgressObserver : public Observer {
 public:
  explicit ProgressObserver(std::string title = "Attacking") : title_(std::move(title)) {}
  void begin(int64_t steps, int64_t done) override;
  void at(const std::string& attack) override;
  void advance(int64_t worked, int64_t skipped) override;
  void resumed(const std::string& file) override;
  void say(const std::string& line) override { inform(line); }
  void end() override { progress_.reset(); }

 private:
  std::string title_;
  std::unique_ptr<Progress> progress_;
};

}  // namespace fercli
