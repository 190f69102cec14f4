// How long a command takes from the start of the process to its end, beside Python's `import torch` where Python has
// it.
//
//     bench_start [REPEATS [FERCLI]]          (11, build/release/fercli)
//
// Prints the median of REPEATS runs of each, after one that is not counted. Wants an idle machine.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "core/files.hpp"
#include "core/text.hpp"
#include "experiments/child.hpp"

namespace {

using namespace fercli;

/// Negative where the command fails.
double median_seconds(const std::vector<std::string>& command, int64_t repeats) {
  std::vector<double> seconds;
  for (int64_t i = 0; i <= repeats; ++i) {
    const auto cost = cost_of(command);
    if (cost.status != 0) return -1;
    if (i > 0) seconds.push_back(cost.seconds);
  }
  std::sort(seconds.begin(), seconds.end());
  return seconds[seconds.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  const int64_t repeats = argc > 1 ? parse_integer(argv[1]) : 11;
  const std::string fercli = argc > 2 ? argv[2] : "build/release/fercli";
  const auto out = std::filesystem::temp_directory_path() / fmt::format("bench-start-{}", getpid());
  const std::string face = find_shipped("faces/Happy/0001.png").string();
  const std::vector<std::vector<std::string>> commands{
      {fercli, "--version"},
      {fercli, "help", "attack"},
      {fercli, "summary", "--model", "standard"},
      {fercli, "attack", "happy-to-sad", "--image", face, "--out", out.string()}};
  const double python = median_seconds({"python3", "-c", "import torch"}, repeats);
  fmt::print("| command | seconds, median of {} | import torch takes times as long |\n|---|---|---|\n", repeats);
  if (python > 0) fmt::print("| `python3 -c 'import torch'` | {:.3f} | 1 |\n", python);
  for (auto command : commands) {
    const double seconds = median_seconds(command, repeats);
    command[0] = "fercli";
    std::replace(command.begin(), command.end(), face, std::string("FACE"));
    std::replace(command.begin(), command.end(), out.string(), std::string("FOLDER"));
    if (seconds < 0) {
      fmt::print("| `{}` | failed | |\n", join(command, " "));
    } else {
      fmt::print("| `{}` | {:.3f} | {} |\n", join(command, " "), seconds,
                 python > 0 ? fmt::format("{:.1f}", python / seconds) : "no PyTorch here");
    }
  }
  std::filesystem::remove_all(out);
  return 0;
}
