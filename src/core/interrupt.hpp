#pragma once

namespace fercli {

/// From here on Ctrl-C, SIGTERM and SIGHUP (unless `nohup` has it ignored) raise a flag; a second Ctrl-C or SIGTERM
/// ends the program at once. A file that grows over the limit of its size (ulimit -f) is a failed write from here on.
void catch_interrupts();

/// True once one of them came. Long loops poll it, save, and throw Interrupted.
bool interrupted();

/// Throws Interrupted("interrupted") once the flag is up: for loops with nothing to save.
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

}  // namespace fercli
