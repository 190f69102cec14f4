// How fast training and evaluation run, and how many times faster than the plain loop of the same network: float32,
// contiguous NCHW, BatchNorm unfolded. Both are timed in turns in the same run.
//
//     bench_training
//     FERCLI_BENCH_THREADS=1 FERCLI_BENCH_PRECISION=fp32 bench_training --benchmark_filter=TrainingStep
//
// Counters: `images` per second of fercli, `plain` those of the plain loop, `ratio` their quotient.
#include <ATen/ATen.h>
#include <benchmark/benchmark.h>
#include <torch/optim.h>

#include "data/formats/reader.hpp"
#include "experiments/bench.hpp"
#include "models/checkpoint.hpp"
#include "models/networks/network.hpp"
#include "train/training_loss.hpp"

namespace {

using namespace fercli;

constexpr int64_t kBatch = 128, kEvaluated = 1024;

struct Subject {
  NetworkOptions options = Registry<Architecture>::instance().get("resnet").defaults();
  Preprocessing preprocessing{1, 48, {0.5}, {0.25}};
  std::shared_ptr<Network> network = make_network("resnet", options, 1);
  std::unique_ptr<torch::optim::Optimizer> optimizer = std::make_unique<torch::optim::SGD>(
      network->parameters(), torch::optim::SGDOptions(1e-4).momentum(0.9).nesterov(true));

  Checkpoint start() const { return {{"resnet", options, preprocessing, LabelSet::fer2013()}, {}, network, ""}; }

  /// Weights as a plain PyTorch program keeps them.
  void make_plain() {
    const torch::NoGradGuard no_grad;
    for (auto& parameter : network->parameters()) parameter.set_data(parameter.contiguous());
  }

  void descend(const torch::Tensor& logits, const torch::Tensor& target) {
    optimizer->zero_grad();
    soft_cross_entropy(logits, target, torch::ones({target.size(0)})).backward();
    optimizer->step();
  }
};

const Dataset& faces() {
  static const Dataset data = read_dataset(fmt::format("synthetic:n={},seed=5", kEvaluated));
  return data;
}

void report(benchmark::State& state, int64_t images, double ours, double plain) {
  state.counters["images"] = static_cast<double>(images) / ours;
  state.counters["plain"] = static_cast<double>(images) / plain;
  state.counters["ratio"] = plain / ours;
  state.SetLabel(to_string(resolve_precision(bench_runtime())));
}

void TrainingStep(benchmark::State& state) {
  const Runtime runtime = bench_runtime();
  Subject fast, slow;
  slow.make_plain();
  const TrainingModel model(fast.start(), resolve_precision(runtime), torch::kCPU);
  const auto x = to_float(faces().images.slice(0, 0, kBatch));
  const auto target = at::one_hot(faces().labels.slice(0, 0, kBatch), 7).to(torch::kFloat32);
  const auto step = [&] { fast.descend(model.logits(x), target); };
  const auto plain_step = [&] { slow.descend(slow.network->forward((x - 0.5) / 0.25), target); };
  step();
  plain_step();
  double ours = 0, plain = 0;
  for (auto _ : state) {
    ours += seconds_of(step);
    plain += seconds_of(plain_step);
  }
  report(state, static_cast<int64_t>(state.iterations()) * kBatch, ours, plain);
}

void Evaluation(benchmark::State& state) {
  const Runtime runtime = bench_runtime();
  Subject fast, slow;
  slow.make_plain();
  fast.network->eval();
  slow.network->eval();
  const Classifier classifier = make_classifier(fast.start(), runtime);
  const auto x = to_float(faces().images);
  const auto evaluate = [&] { benchmark::DoNotOptimize(classifier.logits(x).data_ptr<float>()); };
  const auto plain_evaluate = [&] {
    const torch::NoGradGuard no_grad;
    for (int64_t begin = 0; begin < kEvaluated; begin += kBatch) {
      benchmark::DoNotOptimize(
          slow.network->forward((x.slice(0, begin, begin + kBatch) - 0.5) / 0.25).data_ptr<float>());
    }
  };
  evaluate();
  plain_evaluate();
  double ours = 0, plain = 0;
  for (auto _ : state) {
    ours += seconds_of(evaluate);
    plain += seconds_of(plain_evaluate);
  }
  report(state, static_cast<int64_t>(state.iterations()) * kEvaluated, ours, plain);
}

BENCHMARK(TrainingStep)->Unit(benchmark::kMillisecond)->MinTime(3);
BENCHMARK(Evaluation)->Unit(benchmark::kMillisecond)->MinTime(2);

}  // namespace

BENCHMARK_MAIN();
