// How time and memory grow with the work: a straight line is what one wants, and a flat one of memory where the work is
// streamed.
//
//     bench_growth [FERCLI [LARGEST]]          (build/release/fercli, 10000)
//
// LARGEST: how many drawn images are evaluated at most (up to 1000000; 100000 take an hour). Prints the cost of each
// run, and of each series the slope of the straight line through its ends and how far the points between lie off it.
// Wants an idle machine.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <functional>

#include "core/text.hpp"
#include "experiments/child.hpp"

namespace {

using namespace fercli;
using Command = std::vector<std::string>;

struct Series {
  std::string name, unit;
  std::vector<int64_t> sizes;
  std::function<Command(int64_t)> command;
};

struct Point {
  double size, seconds, mebibytes;
};

/// "1.2e-03 s and 0.1 MiB a UNIT": the line through the ends, and the largest share by which a point lies off it.
std::string line_through(const std::vector<Point>& points, const std::string& unit) {
  const Point &first = points.front(), &last = points.back();
  const double width = last.size - first.size;
  const double seconds = (last.seconds - first.seconds) / width, memory = (last.mebibytes - first.mebibytes) / width;
  double off = 0;
  for (const auto& point : points) {
    const double on_line = first.seconds + seconds * (point.size - first.size);
    off = std::max(off, std::abs(point.seconds / on_line - 1));
  }
  return fmt::format("{:.2g} s and {:.2g} MiB more for each {}; times lie within {:.0f} % of the line", seconds, memory,
                     unit, 100 * off);
}

void print_series(const Series& series) {
  fmt::print("\n| {} | seconds | MiB |\n|---|---|---|\n", series.name);
  std::vector<Point> points;
  for (const int64_t size : series.sizes) {
    const auto cost = cost_of(series.command(size));
    if (cost.status != 0) {
      fmt::print("| {} | ended with {} | |\n", size, cost.status);
      return;
    }
    points.push_back({static_cast<double>(size), cost.seconds, cost.mebibytes});
    fmt::print("| {} | {:.2f} | {:.0f} |\n", size, cost.seconds, cost.mebibytes);
    std::fflush(stdout);
  }
  fmt::print("\n{}\n", line_through(points, series.unit));
}

std::vector<Series> all_series(const std::string& fercli, int64_t largest, const std::filesystem::path& folder) {
  const auto drawn = [](int64_t n, int64_t size = 48) { return fmt::format("synthetic:n={},size={}", n, size); };
  std::vector<int64_t> counts;
  for (int64_t count = 100; count <= largest; count *= 10) counts.push_back(count);
  return {
      {"images evaluated", "image", counts,
       [=](int64_t n) { return Command{fercli, "eval", "--model", "standard", "--data", drawn(n), "--split", "all"}; }},
      {"pixels of a side, 300 images drawn and counted",
       "pixel of a side",
       {48, 96, 144, 224},
       [=](int64_t side) {
         return Command{fercli, "data", "stats", drawn(300, side), "--as-stored"};
       }},
      {"seconds of video, analysed live", "second", {10, 20, 40, 80}, [=](int64_t seconds) {
         return Command{fercli,
                        "live",
                        "--source",
                        fmt::format("synthetic:fps=10,seconds={}", seconds),
                        "--no-window",
                        "--csv",
                        (folder / fmt::format("{}.csv", seconds)).string()};
       }}};
}

}  // namespace

int main(int argc, char** argv) {
  const std::string fercli = argc > 1 ? argv[1] : "build/release/fercli";
  const int64_t largest = argc > 2 ? parse_integer(argv[2]) : 10000;
  const auto folder = std::filesystem::temp_directory_path() / fmt::format("bench-growth-{}", getpid());
  std::filesystem::create_directories(folder);
  for (const auto& series : all_series(fercli, largest, folder)) print_series(series);
  std::filesystem::remove_all(folder);
  return 0;
}
