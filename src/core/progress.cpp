#include "core/progress.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "core/escape.hpp"
#include "core/notice.hpp"
#include "core/reason.hpp"

namespace fercli {

namespace {

bool& silenced() {
  static bool value = false;
  return value;
}

/// Where messages go: stderr, or a copy of it of their own.
std::FILE*& messages() {
  static std::FILE* file = stderr;
  return file;
}

bool on_terminal() {
  return isatty(fileno(messages()));
}

double seconds_between(std::chrono::steady_clock::time_point from, std::chrono::steady_clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

constexpr const char* kWipeLine = "\r\033[K";
constexpr double kShortWork = 0.3;  ///< seconds; a line that is gone at once would only flicker

/// A terminal that is gone, or a full disk behind 2>FILE, ends no run.
void to_stderr(const std::string& text) {
  std::fputs(text.c_str(), messages());
  std::fflush(messages());
  std::fflush(stderr);
}

}  // namespace

Progress::Progress(std::string title, int64_t total, std::string unit)
    : title_(printable(title)),
      unit_(std::move(unit)),
      total_(total),
      shown_(!silenced() && on_terminal()),
      start_(std::chrono::steady_clock::now()) {}

Progress::~Progress() {
  if (shown_ && last_ != std::chrono::steady_clock::time_point()) to_stderr(kWipeLine);
}

void Progress::advance(int64_t count) {
  done_ += count;
  draw();
}

void Progress::skip(int64_t count) {
  done_ += count;
  skipped_ += count;
}

void Progress::note(std::string text) {
  note_ = printable(text);
  draw();
}

void Progress::draw() {
  if (!shown_) return;
  const auto now = std::chrono::steady_clock::now();
  if (seconds_between(start_, now) < kShortWork || (done_ < total_ && seconds_between(last_, now) < 0.1)) return;
  last_ = now;
  const double elapsed = seconds_between(start_, now);
  const double rate = elapsed > 0 ? (done_ - skipped_) / elapsed : 0;
  const double share = total_ > 0 ? std::min(1.0, static_cast<double>(done_) / total_) : 0;
  std::string bar(static_cast<size_t>(share * 24), '#');
  bar.resize(24, '.');
  const std::string left = rate > 0 ? format_duration((total_ - done_) / rate) : "?";
  const std::string speed = rate < 10 ? fmt::format("{:.2g}", rate) : fmt::format("{:.0f}", rate);
  to_stderr(fmt::format("{}{} [{}] {}/{} {} {}/s, {} left  {}", kWipeLine, title_, bar, done_, total_, speed, unit_,
                        left, note_));
}

void silence_progress(bool quiet) {
  silenced() = quiet;
}

void keep_silent() {
  silenced() = true;
  for (const int number : {STDOUT_FILENO, fileno(messages())}) {
    const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere >= 0) dup2(nowhere, number);
    if (nowhere >= 0) close(nowhere);
  }
}

void write_message(const std::string& line) {
  // No name in it begins a line of its own.
  to_stderr(fmt::format("{}{}\n", on_terminal() ? kWipeLine : "", for_message(printable(line))));
}

void show_notices() {
  set_notice_handler([](Notice kind, const std::string& line) {
    if (kind == Notice::Error) write_message("fercli: " + line);
    if (kind == Notice::Warning) write_message("fercli: warning: " + line);
    if (kind == Notice::Information && !silenced()) write_message(line);
  });
}

void keep_messages_apart() {
  if (shows_library_messages()) return;
  const int own = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
  const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
  std::FILE* file = own < 0 ? nullptr : fdopen(own, "w");
  if (file != nullptr && nowhere >= 0 && dup2(nowhere, STDERR_FILENO) >= 0) messages() = file;
  if (nowhere >= 0) close(nowhere);
}

std::string format_duration(double seconds) {
  const int64_t s = std::llround(seconds);
  if (s < 60) return fmt::format("{} s", s);
  if (s < 3600) return fmt::format("{} min {:02} s", s / 60, s % 60);
  return fmt::format("{} h {:02} min", s / 3600, s % 3600 / 60);
}

}  // namespace fercli
