#include "core/interrupt.hpp"

#include <csignal>
#include <initializer_list>

#include "core/error.hpp"

namespace fercli {

namespace {

volatile std::sig_atomic_t interrupt_count = 0;
thread_local bool shielded = false;
thread_local Clock::time_point deadline = Clock::time_point::max();

bool is_late() {
  return deadline != Clock::time_point::max() && Clock::now() > deadline;
}

/// A terminal that closes may send its signal twice, once for the shell: it asks to save, and never kills.
/// So do those that reach a member of a team from outside and from its leader.
extern "C" void on_hangup(int) {
  if (interrupt_count == 0) interrupt_count = 1;
}

extern "C" void on_interrupt(int signal_number) {
  interrupt_count = interrupt_count + 1;
  if (interrupt_count > 1) {
    std::signal(signal_number, SIG_DFL);
    std::raise(signal_number);
  }
}

}  // namespace

void catch_interrupts() {
  for (const int signal_number : {SIGINT, SIGTERM}) std::signal(signal_number, on_interrupt);
  if (std::signal(SIGHUP, on_hangup) == SIG_IGN) std::signal(SIGHUP, SIG_IGN);  // `nohup` means it
  std::signal(SIGPIPE, SIG_IGN);  // a reader that goes away (`| head`) ends no run before its results are in place
  std::signal(SIGXFSZ, SIG_IGN);  // a file over the limit of its size is a failed write, as on a full disk
}

void leave_ending_to_leader() {
  for (const int signal_number : {SIGINT, SIGTERM}) std::signal(signal_number, on_hangup);
}

bool interrupted() {
  return interrupt_count > 0 && !shielded;
}

bool must_stop() {
  return interrupted() || is_late();
}

void throw_if_late() {
  if (is_late()) throw Late("the work took longer than it may");
}

void throw_if_interrupted() {
  if (interrupted()) throw Interrupted("interrupted");
  throw_if_late();
}

Deadline::Deadline(Clock::time_point end) : before_(deadline) {
  deadline = end;
}

Deadline::~Deadline() {
  deadline = before_;
}

Uninterrupted::Uninterrupted() : before_(shielded) {
  shielded = true;
}

Uninterrupted::~Uninterrupted() {
  shielded = before_;
}

}  // namespace fercli
