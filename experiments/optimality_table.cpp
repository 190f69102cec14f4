// The optimality of minimum-norm attacks: reads what optimality.sh left in OUT/MODEL/NORM/ATTACK/result.json and writes
// OUT/optimality.md.
//   optimality_table OUT MODEL…
// All attacks of a model and a norm have to be of the same images of the same network; the best distance of an image is
// that over all of them. Attacks whose run has not ended are left out.
#include <fmt/format.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "attacks/threat/threat_model.hpp"
#include "core/error.hpp"
#include "core/files.hpp"
#include "core/numbers.hpp"
#include "eval/explanation.hpp"
#include "eval/robustness_summary.hpp"

namespace fercli {

namespace {

namespace fs = std::filesystem;

/// One attack on one model, and how far it had to go for each rightly classified image, in the order of the result.
struct Run {
  std::string attack;
  Result result;
  std::vector<std::string> ids;
  std::vector<double> distances;
};

Run read_run(const fs::path& folder) {
  Run run{folder.filename().string(), read_result(folder / "result.json"), {}, {}};
  for (const auto& image : run.result.per_image) {
    if (image.label != image.predicted) continue;
    const double distance = image.distance.at(run.attack);
    run.ids.push_back(image.id);
    run.distances.push_back(std::isfinite(distance) ? distance : kInfinity);
  }
  return run;
}

std::vector<Run> runs_in(const fs::path& folder) {
  std::vector<fs::path> places;
  if (fs::is_directory(folder)) {
    for (const auto& entry : fs::directory_iterator(folder)) {
      if (fs::exists(entry.path() / "result.json")) places.push_back(entry.path());
    }
  }
  std::sort(places.begin(), places.end());
  std::vector<Run> runs;
  for (const auto& place : places) {
    runs.push_back(read_run(place));
    const Run &first = runs.front(), &run = runs.back();
    if (run.ids != first.ids || run.result.model().at("digest") != first.result.model().at("digest") ||
        run.result.dataset.at("digest") != first.result.dataset.at("digest")) {
      throw UserError(fmt::format("{}: is not of the images and the network of {}", place.string(), first.attack));
    }
  }
  return runs;
}

std::string figure(const Metric& metric, const char* format) {
  const auto number = [&](double value) { return std::isfinite(value) ? fmt::format(format, value) : "none"; };
  return fmt::format("{} ({}–{})", number(metric.value), number(metric.interval.low), number(metric.interval.high));
}

std::string row_of(const Run& run, const Metric& optimality) {
  const auto figures = robustness_of(run.result).value();
  const LadderAttack& own = figures.attacks.front();
  const auto n = static_cast<int64_t>(run.distances.size());
  const auto broken =
      std::count_if(run.distances.begin(), run.distances.end(), [](double d) { return std::isfinite(d); });
  const auto each = [&](int64_t passes) {
    return static_cast<double>(passes) / static_cast<double>(std::max<int64_t>(n, 1));
  };
  return fmt::format("| {} | {} | {} | {} of {} | {:.0f} + {:.0f} |\n", run.attack, figure(optimality, "{:.3f}"),
                     figure(median(run.distances), "{:.4g}"), broken, n, each(own.forward), each(own.backward));
}

std::string section(const std::string& model, Norm norm, std::vector<Run> runs) {
  std::vector<std::vector<double>> distances;
  for (const auto& run : runs) distances.push_back(run.distances);
  const auto optimality = local_optimality(distances);
  std::vector<size_t> order;
  for (size_t i = 0; i < runs.size(); ++i) order.push_back(i);
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t one, size_t two) { return optimality[one].value > optimality[two].value; });
  std::string text = fmt::format(
      "## {}, {}\n\n| attack | optimality | median distance | broken | forward + backward per image "
      "|\n|---|---|---|---|---|\n",
      model, to_string(norm));
  for (const size_t i : order) text += row_of(runs[i], optimality[i]);
  return text + "\n";
}

std::string markdown(const fs::path& out, const std::vector<std::string>& models) {
  std::string sections, about;
  for (const auto& model : models) {
    for (const Norm norm : {Norm::L0, Norm::L1, Norm::L2, Norm::Linf}) {
      std::string folder = to_string(norm);
      std::transform(folder.begin(), folder.end(), folder.begin(), [](unsigned char c) { return std::tolower(c); });
      auto runs = runs_in(out / model / folder);
      if (runs.size() < 2) continue;
      const Result& first = runs.front().result;
      if (about.empty()) {
        about = fmt::format(
            "FER2013 {}, {} images of it, of which those that the network classifies rightly count; seed {}",
            first.dataset.at("split").get<std::string>(), first.n, first.seed);
      }
      sections += section(model, norm, std::move(runs));
    }
  }
  if (sections.empty()) throw UserError(fmt::format("{}: holds no two attacks of one norm", out.string()));
  return fmt::format(
      "# Optimality of minimum-norm attacks\n\n{}; off the pixel grid, distances with pixels in [0,1]; in brackets 95 "
      "% "
      "intervals. Made by `experiments/optimality.sh`.\n\nOptimality (AttackBench, AAAI 2025): the area that an attack "
      "takes from under the curve of robust accuracy over eps, as a share of what the best of all attacks of the table "
      "takes image by image. 1: no other found a nearer success on any image. Its interval is a bootstrap over the "
      "images with the attacks paired. It says nothing of attacks that are not in the table.\n\n{}",
      about, sections);
}

}  // namespace

}  // namespace fercli

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() < 2) {
    std::cerr << "usage: optimality_table OUT MODEL…\n";
    return 2;
  }
  try {
    const std::filesystem::path out = arguments[0];
    const auto text = fercli::markdown(out, {arguments.begin() + 1, arguments.end()});
    fercli::write_file(out / "optimality.md", text);
    std::cout << text;
  } catch (const std::exception& error) {
    std::cerr << "optimality_table: " << error.what() << "\n";
    return 2;
  }
  return 0;
}
