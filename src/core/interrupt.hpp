#pragma once

namespace fercli {

/// From here on Ctrl-C and SIGTERM raise a flag; a second Ctrl-C ends the program at once.
void catch_interrupts();

/// True once Ctrl-C or SIGTERM came. Long loops poll it, save, and throw Interrupted.
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
