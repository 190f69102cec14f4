#include "report/gnuplot.hpp"

#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstring>
#include <memory>

#include "core/error.hpp"
#include "core/escape.hpp"
#include "core/files.hpp"
#include "core/progress.hpp"
#include "core/text.hpp"

extern char** environ;

namespace fercli {

namespace {

namespace fs = std::filesystem;

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

File temporary_file() {
  File file(std::tmpfile(), &std::fclose);
  if (!file) throw RunError(fmt::format("no temporary file can be made ({})", std::strerror(errno)));
  return file;
}

/// What gnuplot says on stderr, in one line.
std::string complaint(std::FILE* file) {
  std::rewind(file);
  std::string text(2000, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file));
  std::vector<std::string> lines;
  for (const auto& line : split(text, '\n')) {
    if (!line.empty() && line != "^") lines.push_back(line);
  }
  return join(lines, " ");
}

/// Runs gnuplot with this script on its stdin. Throws RunError.
void run_gnuplot(const std::string& script) {
  const File input = temporary_file(), errors = temporary_file();
  std::fwrite(script.data(), 1, script.size(), input.get());
  std::fflush(input.get());
  std::rewind(input.get());

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, fileno(input.get()), 0);
  posix_spawn_file_actions_adddup2(&actions, fileno(errors.get()), 1);  // our stdout is for results
  posix_spawn_file_actions_adddup2(&actions, fileno(errors.get()), 2);
  char program[] = "gnuplot", defaults[] = "-d", from_stdin[] = "-";
  char* arguments[] = {program, defaults, from_stdin, nullptr};
  pid_t child = 0;
  const int failure = posix_spawnp(&child, program, &actions, nullptr, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failure == ENOENT) throw RunError("gnuplot is not installed (Debian package gnuplot-nox)");
  if (failure != 0) throw RunError(fmt::format("gnuplot cannot be started ({})", std::strerror(failure)));
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    throw RunError(fmt::format("gnuplot failed: {}", complaint(errors.get())));
  }
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
  try {
    replace_file(path, [&](const fs::path& temporary) {
      run_gnuplot(terminal(size, path) + fmt::format("set output {}\n", gnuplot_text(temporary.string())) +
                  kHouseStyle + script + "\nset output\n");
      std::error_code error;
      if (fs::file_size(temporary, error) == 0 || error) throw RunError("gnuplot wrote no picture");
    });
    return true;
  } catch (const RunError& error) {
    warn(fmt::format("{} is not drawn: {}", path.string(), error.what()));
    return false;
  }
}

}  // namespace fercli
