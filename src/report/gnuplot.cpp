#include "report/gnuplot.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "core/error.hpp"
#include "core/escape.hpp"
#include "core/files.hpp"
#include "core/notice.hpp"
#include "core/reason.hpp"
#include "core/text.hpp"

extern char** environ;

namespace fercli {

namespace {

namespace fs = std::filesystem;

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

/// A file in memory: no full disk gets in the way of talking to gnuplot.
File memory_file(const char* name) {
  const int number = memfd_create(name, MFD_CLOEXEC);
  File file(number < 0 ? nullptr : fdopen(number, "w+"), &std::fclose);
  if (!file) throw RunError(fmt::format("gnuplot cannot be given its input ({})", std::strerror(errno)));
  return file;
}

std::string content_of(std::FILE* file) {
  std::string content;
  std::rewind(file);
  std::array<char, 1 << 16> buffer;
  while (const size_t got = std::fread(buffer.data(), 1, buffer.size(), file)) content.append(buffer.data(), got);
  return content;
}

/// How gnuplot ended, where it did not end well. What it says itself is about our script, and nothing that a user can
/// act on.
std::string failure_of(int status) {
  const std::string ending = WIFSIGNALED(status) ? fmt::format("was ended by signal {}", WTERMSIG(status))
                                                 : fmt::format("failed with exit code {}", WEXITSTATUS(status));
  return fmt::format("gnuplot {}; it should be version 5 with the terminals pngcairo and svg (gnuplot-nox has them)",
                     ending);
}

/// The picture that gnuplot makes of this script. Throws RunError.
std::string run_gnuplot(const std::string& script) {
  const File input = memory_file("script"), picture = memory_file("picture");
  const bool written = std::fwrite(script.data(), 1, script.size(), input.get()) == script.size();
  if (!written || std::fflush(input.get()) != 0) throw RunError("gnuplot cannot be given its input");
  std::rewind(input.get());

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, fileno(input.get()), 0);
  posix_spawn_file_actions_adddup2(&actions, fileno(picture.get()), 1);
  if (!shows_library_messages()) posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  // A group of its own: Ctrl-C reaches this program alone, which ends when what it draws is whole.
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  posix_spawnattr_setpgroup(&attributes, 0);
  char program[] = "gnuplot", defaults[] = "-d", from_stdin[] = "-";
  char* arguments[] = {program, defaults, from_stdin, nullptr};
  pid_t child = 0;
  const int failure = posix_spawnp(&child, program, &actions, &attributes, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (failure == ENOENT) throw RunError("gnuplot is not installed (Debian package gnuplot-nox)");
  if (failure != 0) throw RunError(fmt::format("gnuplot cannot be started ({})", std::strerror(failure)));
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) throw RunError(failure_of(status));
  std::string content = content_of(picture.get());
  if (content.empty()) throw RunError("gnuplot wrote no picture");
  return content;
}

std::string terminal(FigureSize size, const fs::path& path) {
  return path.extension() == ".svg"
             ? fmt::format(
                   "set terminal svg size {},{} dynamic font 'DejaVu Sans,20' fontscale 1.33 linewidth 2 background "
                   "'white' noenhanced\n",
                   size.width, size.height)
             : fmt::format("set terminal pngcairo size {},{} font 'DejaVu Sans,20' linewidth 2 noenhanced\n",
                           size.width, size.height);
}

constexpr const char* kHouseStyle = R"(set encoding utf8
set datafile missing 'nan'
set style fill solid 1.0 noborder
set border 3 lc rgb '#606060' lw 0.8
set tics nomirror out scale 0.6 textcolor rgb '#303030'
set grid ytics lt 1 dt 1 lc rgb '#dcdcdc' lw 0.6
set key textcolor rgb '#303030' noopaque Left reverse samplen 1.6 spacing 1.15
set title textcolor rgb '#101010'
)";

}  // namespace

std::string gnuplot_text(const std::string& text) {
  std::string result = "'";
  for (const char letter : for_terminal(text)) {
    result += letter == '\'' ? "''" : std::string(1, letter == '\n' ? ' ' : letter);
  }
  return result + "'";
}

std::string data_block(const std::string& name, const std::vector<std::string>& rows) {
  return fmt::format("${} << EOD\n{}\nEOD\n", name, join(rows, "\n"));
}

bool draw_figure(const std::string& script, FigureSize size, const fs::path& path) {
  std::string picture;
  try {
    picture = run_gnuplot(terminal(size, path) + kHouseStyle + script + "\n");
  } catch (const RunError& error) {
    warn(fmt::format("{} is not drawn: {}", path.filename().string(), error.what()));
    return false;
  }
  write_file(path, picture);
  return true;
}

}  // namespace fercli
