#pragma once

#include <stdexcept>

#include "core/clock.hpp"

namespace fercli {

/// Work that others wait for took longer than it may.
class Late : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// From here on Ctrl-C, SIGTERM and SIGHUP (unless `nohup` has it ignored) raise a flag; a second Ctrl-C or SIGTERM
/// ends the program at once. A file that grows over the limit of its size (ulimit -f) is a failed write from here on.
void catch_interrupts();

/// From here on no Ctrl-C or SIGTERM ends the program, however many come: for a member of a team, whose work the leader
/// fetches first.
void leave_ending_to_leader();

/// True once one of them came. Long loops poll it, save, and throw Interrupted.
bool interrupted();

/// `interrupted()`, or the thread's Deadline has passed: for loops of libraries, which must not throw.
bool must_stop();

/// Throws Late once the thread's Deadline has passed.
void throw_if_late();

/// Throws Interrupted("interrupted") once the flag is up, Late as `throw_if_late` does: for loops with nothing to save.
void throw_if_interrupted();

/// While it lives, its thread works on as if no interrupt had come: for work that others wait for.
class Uninterrupted {
 public:
  Uninterrupted();
  ~Uninterrupted();
  Uninterrupted(const Uninterrupted&) = delete;
  Uninterrupted& operator=(const Uninterrupted&) = delete;

 private:
  bool before_;
};

/// While it lives, its thread's work must be done by this moment.
class Deadline {
 public:
  explicit Deadline(Clock::time_point end);
  ~Deadline();
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

 private:
  Clock::time_point before_;
};

}  // namespace fercli
