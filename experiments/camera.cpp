// Do adversarial faces survive being printed and photographed? PGD along the network's own gradient beside PGD along
// the mean over 20 photographs (expectation over transformation, `attack --eot 20 --eot-over camera`).
//
//     camera FER2013 [LIMIT [SEED]]
//
// On those of LIMIT (200) images of PublicTest, each class in proportion, that `standard` classifies rightly,
// untargeted, Linf, 8-bit images. Each image is shown to the network as it is and in 10 photographs that no attack saw:
// turned, scaled, saved as JPEG, with noise (`expectation_over`). Prints a Markdown row for each eps and attack: the
// share of the images that the network gets wrong, with its 95 % interval; for the photographs the mean over the 10 of
// that share, with the lowest and the highest.
#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "attacks/engine/attack.hpp"
#include "attacks/engine/mixture.hpp"
#include "core/progress.hpp"
#include "core/runtime.hpp"
#include "core/text.hpp"
#include "data/formats/reader.hpp"
#include "data/image.hpp"
#include "eval/evaluate.hpp"
#include "eval/measures/metrics.hpp"
#include "eval/measures/subset.hpp"
#include "eval/result.hpp"
#include "models/checkpoint.hpp"
#include "models/formats/import.hpp"

namespace {

using namespace fercli;

constexpr int64_t kDraws = 20, kPhotographs = 10, kSteps = 20;

class CameraBench {
 public:
  CameraBench(const std::string& source, int64_t limit, uint64_t seed)
      : seed_(seed),
        network_(std::make_shared<Classifier>(
            make_classifier(load_model(resolve_model("standard")), Runtime{}).with_precision(Precision::Float32))),
        photographs_(expectation_over("camera", kPhotographs, network_, seed + 1)) {
    const Dataset images = subset(read_dataset(source).only(Split::PublicTest).relabelled(LabelSet::fer2013()), limit);
    const auto right = network_->logits(to_float(images.images)).argmax(1).eq(images.labels);
    pixels_ = images.images.index({right});
    labels_ = images.labels.index({right});
  }

  /// The row of the images as they are.
  void show_originals() const { print("–", "none", to_float(pixels_)); }

  void show(const std::string& eps, const std::string& name, int64_t draws) const {
    const std::vector<int64_t> shape(pixels_.sizes().begin() + 1, pixels_.sizes().end());
    const Classifier followed =
        draws == 0 ? *network_ : mixture(expectation_over("camera", draws, network_, seed_), Joining::Logits, shape);
    AttackSettings settings;
    settings.set("steps", kSteps);
    settings.confidence = 2;  // to the end of its steps, though it may have been wrong before
    const auto found = make_attack("pgd", settings, Norm::Linf, false)
                           ->run(followed, {Norm::Linf, parse_number(eps)},
                                 {to_float(pixels_), Goal::untargeted(labels_), image_keys(pixels_)}, Rng(seed_));
    print(eps, name, found.x_adv);
  }

 private:
  int64_t wrong(const torch::Tensor& x) const {
    return network_->logits(x).argmax(1).ne(labels_).sum().item<int64_t>();
  }

  void print(const std::string& eps, const std::string& name, const torch::Tensor& x) const {
    const Metric plain = proportion(wrong(x), labels_.size(0));
    std::vector<double> shares;
    for (const auto& photograph : photographs_) {
      shares.push_back(100 * proportion(wrong(photograph.change(x)), labels_.size(0)).value);
    }
    double sum = 0;
    for (const double share : shares) sum += share;
    fmt::print("| {} | {} | {} of {} | {:.1f} ({:.1f}–{:.1f}) |\n", eps, name, format_share(plain), plain.n,
               sum / kPhotographs, *std::min_element(shares.begin(), shares.end()),
               *std::max_element(shares.begin(), shares.end()));
    std::fflush(stdout);
  }

  uint64_t seed_;
  std::shared_ptr<const Classifier> network_;
  std::vector<MixedView> photographs_;
  torch::Tensor pixels_, labels_;
};

int run(const std::string& source, int64_t limit, uint64_t seed) {
  show_notices();
  silence_progress(true);
  prepare_machine({});
  const CameraBench bench(source, limit, seed);
  fmt::print(
      "| eps | attack | wrong as they are (%) | wrong in photographs (%, lowest–highest of {}) |\n|---|---|---|---|\n",
      kPhotographs);
  bench.show_originals();
  for (const char* eps : {"2/255", "4/255", "8/255"}) {
    bench.show(eps, "pgd", 0);
    bench.show(eps, fmt::format("pgd, mean over {} photographs", kDraws), kDraws);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: camera FER2013 [LIMIT [SEED]]\n");
    return 2;
  }
  try {
    return run(argv[1], argc > 2 ? parse_integer(argv[2]) : 200,
               argc > 3 ? static_cast<uint64_t>(parse_integer(argv[3])) : 0);
  } catch (const std::exception& error) {
    fmt::print(stderr, "camera: {}\n", error.what());
    return 1;
  }
}
