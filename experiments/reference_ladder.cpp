// fercli's AutoAttack beside the authors', on the two reference networks and the 200 reference images.
//
//     reference_ladder REFERENCE [THREADS]
//
// REFERENCE is the folder with autoattack.json, models/std.ts.pt, models/at.ts.pt and eval200.csv (README.md there).
// Prints one Markdown row per run: robust accuracy after each part, the time of both, and whether the difference is
// within half a point. fercli works as the reference did: off the pixel grid, in float32. Ends with 1 when a run
// differs by more.
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>

#include "core/files.hpp"
#include "core/progress.hpp"
#include "core/text.hpp"
#include "data/formats/reader.hpp"
#include "eval/campaign/campaign.hpp"
#include "models/checkpoint.hpp"
#include "models/formats/import.hpp"

namespace {

using namespace fercli;
namespace fs = std::filesystem;

constexpr double kHalfAPoint = 0.005 + 1e-9;

struct Reference {
  Classifier classifier;
  Dataset images;
};

Reference load(const fs::path& folder, const std::string& model) {
  ImportOptions options;
  options.channels = 1;
  options.height = options.width = 48;
  options.labels = LabelSet::fer2013();
  const Checkpoint checkpoint = load_model(folder / "models" / (model + ".ts.pt"), options);
  Runtime runtime;
  runtime.precision = "fp32";
  return {make_classifier(checkpoint, runtime), read_dataset((folder / "eval200.csv").string())};
}

/// "44.0, 41.5, 41.5, 41.5": robust accuracy in % after each part.
std::string after_each(const Ledger& found, const AttackRecord& record) {
  std::vector<std::string> figures;
  for (const std::string part : {"apgd-ce", "apgd-t", "fab-t", "square"}) {
    const auto place = std::find(record.stages.begin(), record.stages.end(), part) - record.stages.begin();
    const auto broken = record.broken.eq(0).logical_and(record.stage.le(static_cast<int64_t>(place)));
    const auto standing = found.right().logical_and(broken.logical_not()).sum().item<int64_t>();
    figures.push_back(fmt::format("{:.1f}", 100.0 * static_cast<double>(standing) / found.size()));
  }
  return join(figures, ", ");
}

std::string reference_after_each(const nlohmann::json& run) {
  std::vector<std::string> figures;
  for (const std::string part : {"apgd-ce", "apgd-t", "fab-t", "square"}) {
    figures.push_back(fmt::format("{:.1f}", 100 * run.at("robust_accuracy_after").at(part).get<double>()));
  }
  return join(figures, ", ");
}

bool compare(const Reference& reference, const nlohmann::json& run) {
  Trial plan;
  plan.attacks = {"autoattack"};
  plan.norm = parse_norm(run.at("norm"));
  const double eps = run.at("eps");
  plan.ladder = {{plan.norm == Norm::Linf ? fmt::format("{:g}/255", eps * 255) : fmt::format("{:g}", eps), eps}};
  plan.goal.name = "untargeted";
  plan.settings.pixel_grid = false;
  plan.seed = run.at("seed");
  const std::clock_t before = std::clock();
  const auto found = run_campaign({reference.classifier, reference.images}, plan);
  const double seconds = static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC;
  const auto& record = found.attacks.front();
  const auto standing = found.right().logical_and(record.broken.gt(0)).sum().item<int64_t>();
  const double ours = static_cast<double>(standing) / static_cast<double>(found.size());
  const double theirs = run.at("robust_accuracy_after").at("square");
  const bool close = std::abs(ours - theirs) <= kHalfAPoint;
  fmt::print("| {} | {} | {} | {} | {} | {} | {:.0f} | {:.1f} | {} |\n", run.at("model").get<std::string>(),
             to_string(plan.norm), plan.ladder[0].text, plan.seed, reference_after_each(run), after_each(found, record),
             run.at("cpu_s").get<double>(), seconds,
             close           ? "equal to half a point"
             : ours < theirs ? "lower"
                             : "HIGHER");
  std::fflush(stdout);
  return close || ours < theirs;
}

int run(const fs::path& folder, int64_t threads) {
  show_notices();
  silence_progress(true);
  Runtime runtime;
  runtime.threads = threads;
  prepare_machine(runtime);
  const Reference std_net = load(folder, "std"), at_net = load(folder, "at");
  fmt::print(
      "| network | norm | eps | seed | reference: after each part (%) | fercli: after each part (%) | reference, CPU s "
      "| "
      "fercli, CPU s | final figure |\n|---|---|---|---|---|---|---|---|---|\n");
  bool all_close = true;
  const auto runs = nlohmann::json::parse(read_file(folder / "autoattack.json")).at("runs");
  for (const auto& each : runs) all_close &= compare(each.at("model") == "std" ? std_net : at_net, each);
  return all_close ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: reference_ladder REFERENCE [THREADS]\n");
    return 2;
  }
  try {
    return run(argv[1], argc > 2 ? parse_integer(argv[2]) : 0);
  } catch (const std::exception& error) {
    fmt::print(stderr, "reference_ladder: {}\n", error.what());
    return 1;
  }
}
