#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace fercli {

/// A line on stderr that shows how far a long job is: done/total, rate, time left. Drawn only on a terminal and only
/// when progress is not silenced; at most ten times a second.
class Progress {
 public:
  Progress(std::string title, int64_t total, std::string unit);
  ~Progress();  ///< wipes the line
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void advance(int64_t count);
  void skip(int64_t count);     ///< done before this run: counts in the bar, not in the rate
  void note(std::string text);  ///< shown at the end of the line ("loss 1.02")

 private:
  void draw();

  std::string title_, unit_, note_;
  int64_t total_, done_ = 0, skipped_ = 0;
  bool shown_;
  std::chrono::steady_clock::time_point start_, last_;
};

/// The notices of all code go to stderr from here on: information as it is, unless silenced; warnings as
/// "fercli: warning: …", errors as "fercli: …".
void show_notices();

/// `--quiet`: no progress lines and no information from here on.
void silence_progress(bool quiet);

/// Nothing that this process says, not even a warning, is shown from here on: another process speaks for it.
void keep_silent();

/// One line on stderr, made harmless for terminals, under a progress bar that may be there.
void write_message(const std::string& line);

/// Libraries write to stderr by themselves: libjpeg, libpng, libtiff, FFmpeg, LibTorch. From now on only messages of
/// this program reach it (unless FERCLI_DEBUG is set): they get a copy of it, and the number 2 leads nowhere. For the
/// start of the program, before there are threads.
void keep_messages_apart();

/// "12 s", "3 min 20 s", "2 h 05 min".
std::string format_duration(double seconds);

}  // namespace fercli
