// How fast PGD runs, and how many times faster than the plain loop that most attack libraries use: float32, contiguous
// NCHW, BatchNorm unfolded. Both are timed in turns in the same run, so that the ratio does not hang on the machine's
// mood.
//
//     bench_attack                       the shipped standard network on drawn faces
//     FERCLI_BENCH_MODEL=FILE FERCLI_BENCH_THREADS=1 bench_attack --benchmark_filter=PgdStep
//
// Counters: `images` image-steps per second of fercli, `plain` those of the plain loop, `ratio` their quotient.
#include <ATen/ATen.h>
#include <benchmark/benchmark.h>
#include <torch/csrc/autograd/autograd.h>

#include <chrono>
#include <cstdlib>

#include "attacks/attack.hpp"
#include "attacks/ball.hpp"
#include "attacks/losses.hpp"
#include "core/progress.hpp"
#include "core/text.hpp"
#include "data/reader.hpp"
#include "models/checkpoint.hpp"
#include "models/network.hpp"

namespace {

using namespace fercli;

constexpr int64_t kImages = 64, kBatch = 64, kSteps = 20;

double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

struct Setting {
  Setting() {
    silence_progress(true);
    const char* file = std::getenv("FERCLI_BENCH_MODEL");
    const char* threads = std::getenv("FERCLI_BENCH_THREADS");
    Runtime runtime;
    if (threads != nullptr) runtime.threads = parse_integer(threads);
    prepare_machine(runtime);
    checkpoint = load_checkpoint(resolve_model(file != nullptr ? file : "standard"));
    classifier = std::make_unique<Classifier>(make_classifier(checkpoint, runtime));
    images = read_dataset(fmt::format("synthetic:n={},seed=5,size={}", kImages, checkpoint.preprocessing.size)).images;
    const auto x = to_float(images);
    const auto y = classifier->with_precision(Precision::Float32).logits(x).argmax(1);
    const auto target = (y + 1).remainder(checkpoint.classes.size());
    input = std::make_unique<AttackInput>(AttackInput{x, Goal::targeted(target), image_keys(images)});
    for (auto& parameter : checkpoint.network->parameters()) parameter.set_data(parameter.contiguous());
    checkpoint.network->eval();
  }

  Checkpoint checkpoint;
  std::unique_ptr<Classifier> classifier;
  torch::Tensor images;
  std::unique_ptr<AttackInput> input;
};

Setting& setting() {
  static Setting the_setting;
  return the_setting;
}

/// PGD as it is usually written: all steps on every image, nothing dropped. With `weights` the backward pass also
/// computes the gradients of the weights, as a plain loss.backward() does.
void plain_pgd(const ThreatModel& threat, bool weights) {
  const Checkpoint& checkpoint = setting().checkpoint;
  for (auto& parameter : checkpoint.network->parameters()) parameter.set_requires_grad(weights);
  const double mean = checkpoint.preprocessing.mean[0], deviation = checkpoint.preprocessing.std[0];
  for (int64_t begin = 0; begin < kImages; begin += kBatch) {
    const auto original = setting().input->x.narrow(0, begin, kBatch);
    const auto goal = setting().input->goal.narrow(begin, kBatch);
    const Ball ball(threat.norm, original, torch::full({kBatch}, threat.eps, torch::kFloat64), false);
    auto x = original;
    for (int64_t step = 0; step < kSteps; ++step) {
      auto leaf = x.detach().requires_grad_(true);
      const auto logits = checkpoint.network->forward((leaf - mean) / deviation);
      std::vector<torch::Tensor> wanted{leaf};
      if (weights) {
        for (const auto& parameter : checkpoint.network->parameters()) wanted.push_back(parameter);
      }
      const auto dlogits = cross_entropy_loss(logits.detach(), goal).gradient;
      const auto gradient = torch::autograd::grad({logits}, wanted, {dlogits})[0];
      x = ball.step(x, gradient, ball.eps() * (2.5 / static_cast<double>(kSteps)));
    }
    benchmark::DoNotOptimize(x.data_ptr<float>());
  }
}

void compare(benchmark::State& state, const ThreatModel& threat, bool plain_weights) {
  AttackSettings settings;
  settings.steps = kSteps;
  const auto attack = make_attack("pgd", settings, threat.norm, true);
  double ours = 0, plain = 0;
  for (auto _ : state) {
    ours += seconds_of([&] { attack->run(*setting().classifier, threat, *setting().input, Rng(1)); });
    plain += seconds_of([&] { plain_pgd(threat, plain_weights); });
  }
  const double passes = static_cast<double>(state.iterations() * kImages * kSteps);
  state.counters["images"] = passes / ours;
  state.counters["plain"] = passes / plain;
  state.counters["ratio"] = plain / ours;
  state.SetLabel(to_string(setting().classifier->precision()));
}

/// No image can be solved in a ball smaller than half a pixel level: the pure cost of a step, judging included.
void PgdStep(benchmark::State& state) {
  compare(state, {Norm::Linf, 0.4 / 255}, false);
}

/// The same against the plain loop that also computes weight gradients.
void PgdStepAgainstWeightGradients(benchmark::State& state) {
  compare(state, {Norm::Linf, 0.4 / 255}, true);
}

/// The whole attack at 8/255, solved images leaving, against the plain loop that drops nothing.
void PgdAttack(benchmark::State& state) {
  compare(state, {Norm::Linf, 8 / 255.0}, false);
}

/// The same against the plain loop that also computes weight gradients.
void PgdAttackAgainstWeightGradients(benchmark::State& state) {
  compare(state, {Norm::Linf, 8 / 255.0}, true);
}

BENCHMARK(PgdStep)->Unit(benchmark::kSecond)->Iterations(2);
BENCHMARK(PgdStepAgainstWeightGradients)->Unit(benchmark::kSecond)->Iterations(1);
BENCHMARK(PgdAttack)->Unit(benchmark::kSecond)->Iterations(2);
BENCHMARK(PgdAttackAgainstWeightGradients)->Unit(benchmark::kSecond)->Iterations(1);

}  // namespace

BENCHMARK_MAIN();
