// Published attacks beside fercli's, image by image.
//
//     peers REFERENCE PER_IMAGE.csv [PEERS.csv]
//
// REFERENCE holds what foolbox, torchattacks and auto-attack gave (its README.md); PEERS.csv is what
// experiments/peers.py found on this machine, where they are installed. fercli attacks the same images of the same
// networks in float32, off the pixel grid. Prints a Markdown row per network, attack and peer, and writes every figure
// per image. "nearer" and "farther" count the images whose distance differs by more than 1 %.
#include <torch/csrc/jit/serialization/pickle.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <map>

#include "attacks/engine/attack.hpp"
#include "core/files.hpp"
#include "core/progress.hpp"
#include "core/runtime.hpp"
#include "core/text.hpp"
#include "data/dataset.hpp"
#include "eval/measures/metrics.hpp"
#include "models/checkpoint.hpp"
#include "models/formats/import.hpp"

namespace {

using namespace fercli;
namespace fs = std::filesystem;

constexpr double kEverything = 4000;  ///< more than any perturbation of 48x48 pixels in L0, L1 or L2
constexpr double kCloseBy = 0.01;

using Dictionary = std::map<std::string, torch::Tensor>;

Dictionary read_dictionary(const fs::path& path) {
  const std::string bytes = read_file(path);
  Dictionary tensors;
  for (const auto& entry : torch::jit::pickle_load({bytes.begin(), bytes.end()}).toGenericDict()) {
    tensors[entry.key().toStringRef()] = entry.value().toTensor();
  }
  return tensors;
}

/// One attack that searches for the nearest adversarial image, and the peers' key of its distances.
struct Trial {
  std::string attack;
  Norm norm;
  std::string peer, key;
};

const std::vector<Trial>& trials() {
  static const std::vector<Trial> all{{"fmn", Norm::Linf, "foolbox", "fmn_linf.linf"},
                                      {"fmn", Norm::L2, "foolbox", "fmn_l2.l2"},
                                      {"fmn", Norm::L2, "foolbox, its projection mended", "fmn_l2_projected.l2"},
                                      {"fmn", Norm::L1, "foolbox", "fmn_l1.l1"},
                                      {"fmn", Norm::L0, "foolbox", "fmn_l0.l0"},
                                      {"sigma-zero", Norm::L0, "foolbox's FMN", "fmn_l0.l0"},
                                      {"ddn", Norm::L2, "foolbox", "ddn_l2.l2"},
                                      {"cw", Norm::L2, "foolbox", "cw_l2.l2"},
                                      {"deepfool", Norm::L2, "torchattacks", "deepfool_l2.l2"},
                                      {"deepfool", Norm::L2, "foolbox", "deepfool_l2_fb.l2"},
                                      {"deepfool", Norm::Linf, "foolbox", "deepfool_linf_fb.linf"},
                                      {"ead-en", Norm::L1, "foolbox", "ead_en.l1"}};
  return all;
}

/// Distances of one peer on one network: of each image, infinite where it found nothing.
struct PeerFigures {
  std::string model, peer, attack;
  Norm norm;
  std::vector<double> distances;
};

std::vector<double> values_of(const torch::Tensor& tensor) {
  const auto flat = tensor.to(torch::kFloat64).contiguous();
  return {flat.data_ptr<double>(), flat.data_ptr<double>() + flat.numel()};
}

std::vector<PeerFigures> stored_figures(const fs::path& reference) {
  std::vector<PeerFigures> figures;
  for (const std::string model : {"std", "at"}) {
    const auto cases = read_dictionary(reference / ("cases_" + model + ".pt"));
    for (const auto& trial : trials()) {
      figures.push_back({model, trial.peer + " (stored)", trial.attack, trial.norm, values_of(cases.at(trial.key))});
    }
  }
  return figures;
}

/// Lines of peers.py: model,peer,attack,norm,image,distance; images from 0, in order.
std::vector<PeerFigures> rerun_figures(const fs::path& file) {
  std::vector<PeerFigures> figures;
  const auto lines = split(read_file(file), '\n');
  for (size_t i = 1; i < lines.size(); ++i) {
    const auto fields = split(lines[i], ',');
    if (fields.size() != 6) continue;
    const Norm norm = parse_norm(fields[3]);
    const bool goes_on = !figures.empty() && figures.back().model == fields[0] && figures.back().peer == fields[1] &&
                         figures.back().attack == fields[2] && figures.back().norm == norm;
    if (!goes_on) figures.push_back({fields[0], fields[1], fields[2], norm, {}});
    figures.back().distances.push_back(parse_number(fields[5]));
  }
  return figures;
}

/// The 24 images and one network.
class Bench {
 public:
  Bench(const fs::path& reference, const std::string& model)
      : model_(model), classifier_(load(reference, model)), images_(read_dictionary(reference / "images.pt")) {
    const auto x = to_float(images_.at("x24_uint8"));
    right_ = classifier_.logits(x).argmax(1).eq(images_.at("y24"));
  }

  const torch::Tensor& right() const { return right_; }

  /// fercli's distances, searched once for each attack and norm.
  const std::vector<double>& distances(const std::string& attack, Norm norm) {
    const auto key = fmt::format("{} {}", attack, to_string(norm));
    const auto found = distances_.find(key);
    if (found != distances_.end()) return found->second;
    AttackSettings settings;
    settings.pixel_grid = false;
    const ThreatModel threat{norm, norm == Norm::Linf ? 1 : kEverything};
    const auto result = make_attack(attack, settings, norm, false)
                            ->run(classifier_, threat,
                                  {to_float(images_.at("x24_uint8")), Goal::untargeted(images_.at("y24")),
                                   image_keys(images_.at("x24_uint8"))},
                                  Rng(0));
    auto values = values_of(result.distance);
    for (size_t i = 0; i < values.size(); ++i) {
      if (!result.success[static_cast<int64_t>(i)].item<bool>()) values[i] = std::numeric_limits<double>::infinity();
    }
    return distances_[key] = values;
  }

 private:
  static Classifier load(const fs::path& reference, const std::string& model) {
    ImportOptions options;
    options.channels = 1;
    options.height = options.width = 48;
    options.labels = LabelSet::fer2013();
    Runtime runtime;
    runtime.precision = "fp32";
    return make_classifier(load_model(reference / "models" / (model + ".ts.pt"), options), runtime);
  }

  std::string model_;
  Classifier classifier_;
  Dictionary images_;
  torch::Tensor right_;
  std::map<std::string, std::vector<double>> distances_;
};

/// "20 of 20, 0.3124 (0.21–0.52)": found, and the median distance with its 95 % interval.
std::string summary_of(const std::vector<double>& distances, Norm norm) {
  const double scale = norm == Norm::Linf ? 255 : 1;
  const auto found = std::count_if(distances.begin(), distances.end(), [](double d) { return std::isfinite(d); });
  const Metric middle = median(distances);
  return fmt::format("{} of {}, {:.4g} ({:.4g}–{:.4g})", found, distances.size(), scale * middle.value,
                     scale * middle.interval.low, scale * middle.interval.high);
}

void compare(const PeerFigures& peer, Bench& bench, std::string& csv) {
  const auto& all = bench.distances(peer.attack, peer.norm);
  std::vector<double> ours, theirs;
  int64_t nearer = 0, farther = 0;
  for (size_t i = 0; i < std::min(all.size(), peer.distances.size()); ++i) {
    const double mine = all[i], other = peer.distances[i];
    csv += fmt::format("{},{},{},{},{},{:.9g},{:.9g}\n", peer.model, "\"" + peer.peer + "\"", peer.attack,
                       to_string(peer.norm), i, other, mine);
    if (!bench.right()[static_cast<int64_t>(i)].item<bool>()) continue;  // wrong without an attack: distance 0
    ours.push_back(mine);
    theirs.push_back(other);
    nearer += mine < other * (1 - kCloseBy);
    farther += mine > other * (1 + kCloseBy);
  }
  fmt::print("| {} | {} {} | {} | {} | {} | {} | {} |\n", peer.model, peer.attack, to_string(peer.norm), peer.peer,
             summary_of(theirs, peer.norm), summary_of(ours, peer.norm), nearer, farther);
  std::fflush(stdout);
}

int run(const fs::path& reference, const fs::path& out, const fs::path& peers) {
  show_notices();
  silence_progress(true);
  prepare_machine({});
  auto figures = stored_figures(reference);
  if (!peers.empty()) {
    for (auto& each : rerun_figures(peers)) figures.push_back(std::move(each));
  }
  std::map<std::string, Bench> benches;
  for (const std::string model : {"std", "at"}) benches.emplace(model, Bench(reference, model));
  std::string csv = "model,peer,attack,norm,image,distance,fercli_distance\n";
  fmt::print(
      "| network | attack | peer | peer: found, median (95 % CI) | fercli: found, median (95 % CI) | fercli nearer | "
      "farther |\n|---|---|---|---|---|---|---|\n");
  for (const auto& each : figures) {
    if (benches.count(each.model)) compare(each, benches.at(each.model), csv);
  }
  write_file(out, csv);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    fmt::print(stderr, "usage: peers REFERENCE PER_IMAGE.csv [PEERS.csv]\n");
    return 2;
  }
  try {
    return run(argv[1], argv[2], argc > 3 ? argv[3] : "");
  } catch (const std::exception& error) {
    fmt::print(stderr, "peers: {}\n", error.what());
    return 1;
  }
}
