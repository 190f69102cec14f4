#include "core/interrupt.hpp"

#include <csignal>
#include <initializer_list>

#include "core/error.hpp"

namespace fercli {

namespace {

volatile std::sig_atomic_t interrupt_count = 0;
thread_local bool shielded = false;

/// A terminal that closes may send its signal twice, once for the shell: it asks to save, and never kills.
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
  std::signal(SIGXFSZ, SIG_IGN);  // a file over the limit of its size is a failed write, as on a full disk
}

bool interrupted() {
  return interrupt_count > 0 && !shielded;
}

void throw_if_interrupted() {
  if (interrupted()) throw Interrupted("interrupted");
}

Uninterrupted::Uninterrupted() : before_(shielded) {
  shielded = true;
}

Uninterrupted::~Uninterrupted() {
  shielded = before_;
}

}  // namespace fercli
