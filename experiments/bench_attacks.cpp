// How fast attacks run, and how many times faster than the plain loop that most attack libraries use. Both are timed in
// turns in the same run, so that the ratio does not hang on the machine's mood.
//
//     bench_attacks                      the shipped networks on drawn faces
//     FERCLI_BENCH_MODEL=FILE FERCLI_BENCH_THREADS=1 FERCLI_BENCH_PRECISION=fp32 bench_attacks
//     --benchmark_filter=AutoAttack
//
// The plain loop is float32, contiguous NCHW, BatchNorm unfolded, gradients in the input only, and computes as the
// references do:
//   PGD         every step on every image: one forward and one backward.
//   AutoAttack  APGD-CE, for each target APGD-T, for each target FAB-T, then Square, each on the images that the ones
//               before left standing and, but for Square, to its end on all of them. APGD: a forward and a backward a
//               step. FAB: a forward and a backward for the hyperplane, and one more forward for the verdict. Square: a
//               forward a query, solved images leave.
// Its updates are cheap stand-ins (a signed step, a projection); what the references spend on sorting and bookkeeping
// is left out, which favours it. Images that fercli breaks in a stage are broken there for the plain loop too.
//
// Counters: `images` images per second of fercli (PgdStep: image-steps), `plain` those of the plain loop, `ratio` their
// quotient; for PGD also `ratio_weights`, against the plain loop that computes the gradients of the weights too, as a
// bare `loss.backward()` does; for AutoAttack also `robust`, the share of images left standing. AutoAttackFast sets
// autoattack-fast beside AutoAttack in full: `images`, `autoattack` and `ratio` as above, `robust` and
// `robust_autoattack`, and on how many images they `differ`.
#include <ATen/ATen.h>
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <map>

#include "attacks/engine/attack.hpp"
#include "attacks/threat/ball.hpp"
#include "attacks/threat/losses.hpp"
#include "core/files.hpp"
#include "data/formats/reader.hpp"
#include "experiments/bench.hpp"
#include "models/checkpoint.hpp"
#include "models/networks/network.hpp"

namespace {

using namespace fercli;

constexpr int64_t kBatch = 64, kPgdSteps = 40, kPgdImages = 64;

/// One shipped network with the drawn faces to attack, labelled by its own verdict.
struct Subject {
  explicit Subject(const std::string& model) {
    const Runtime runtime = bench_runtime();
    checkpoint = load_checkpoint(resolve_model(model));
    classifier = std::make_unique<Classifier>(make_classifier(checkpoint, runtime));
    for (auto& parameter : checkpoint.network->parameters()) {
      parameter.set_data(parameter.contiguous());
      parameter.set_requires_grad(false);
    }
    checkpoint.network->eval();
  }

  AttackInput input(int64_t images) const {
    const auto faces =
        read_dataset(fmt::format("synthetic:n={},seed=5,size={}", images, checkpoint.preprocessing.size)).images;
    const auto x = to_float(faces);
    const auto y = classifier->with_precision(Precision::Float32).logits(x).argmax(1);
    return {x, Goal::untargeted(y), image_keys(faces)};
  }

  /// Whether the plain loop's backward passes compute the gradients of the weights too.
  void weight_gradients(bool wanted) const {
    for (auto& parameter : checkpoint.network->parameters()) parameter.set_requires_grad(wanted);
  }

  torch::Tensor forward(const torch::Tensor& x) const {
    const auto& prepared = checkpoint.preprocessing;
    return checkpoint.network->forward((x - prepared.mean[0]) / prepared.std[0]);
  }

  Checkpoint checkpoint;
  std::unique_ptr<Classifier> classifier;
};

Subject& subject(const std::string& model) {
  static std::map<std::string, std::unique_ptr<Subject>> subjects;
  auto& place = subjects[model];
  if (!place) place = std::make_unique<Subject>(model);
  return *place;
}

std::string first_model() {
  const char* file = std::getenv("FERCLI_BENCH_MODEL");
  return file != nullptr ? file : "standard";
}

/// The plain loops. All of them work on one batch.
class Plain {
 public:
  Plain(const Subject& subject, const ThreatModel& threat, const torch::Tensor& x, const torch::Tensor& y)
      : subject_(subject),
        y_(y),
        ball_(threat.norm, x, torch::full({x.size(0)}, threat.eps, torch::kFloat64), /*pixel_grid=*/false),
        x_(x) {}

  void descend(int64_t steps) {
    for (int64_t step = 0; step < steps; ++step) {
      x_ = ball_.step(x_, gradient(), ball_.eps() * (2.5 / static_cast<double>(steps)));
    }
  }

  void fab(int64_t steps) {
    for (int64_t step = 0; step < steps; ++step) {
      x_ = ball_.step(x_, gradient(), ball_.eps() * 0.1);
      const torch::NoGradGuard no_grad;
      benchmark::DoNotOptimize(subject_.forward(x_).argmax(1));
    }
  }

  void square(int64_t queries) {
    const torch::NoGradGuard no_grad;
    for (int64_t query = 0; query < queries; ++query) {
      auto candidate = x_.clone();
      candidate.narrow(2, query % 40, 5).narrow(3, query % 40, 5).add_(query % 2 ? 0.01 : -0.01);
      benchmark::DoNotOptimize(subject_.forward(ball_.project(candidate)).argmax(1));
    }
  }

 private:
  torch::Tensor gradient() const {
    auto leaf = x_.detach().requires_grad_(true);
    const auto logits = subject_.forward(leaf);
    const auto dlogits = cross_entropy_loss(logits.detach(), Goal::untargeted(y_)).gradient;
    logits.backward(dlogits);
    return leaf.grad();
  }

  const Subject& subject_;
  torch::Tensor y_;
  Ball ball_;
  torch::Tensor x_;
};

/// Runs `work` on these images in batches.
void in_batches(const Subject& subject, const ThreatModel& threat, const AttackInput& input, const torch::Tensor& rows,
                const std::function<void(Plain&)>& work) {
  for (int64_t begin = 0; begin < rows.size(0); begin += kBatch) {
    const auto part = rows.slice(0, begin, std::min(begin + kBatch, rows.size(0)));
    Plain plain(subject, threat, input.x.index_select(0, part), input.goal.labels().index_select(0, part));
    work(plain);
  }
}

void compare_pgd(benchmark::State& state, const std::string& model, const ThreatModel& threat, int64_t unit) {
  const Subject& on = subject(model);
  const auto input = on.input(kPgdImages);
  AttackSettings settings;
  settings.set("steps", kPgdSteps);
  const auto attack = make_attack("pgd", settings, threat.norm, false);
  const auto plain_loop = [&] {
    in_batches(on, threat, input, torch::arange(kPgdImages), [](Plain& loop) { loop.descend(kPgdSteps); });
  };
  double ours = 0, plain = 0, plain_weights = 0;
  for (auto _ : state) {
    ours += seconds_of([&] { attack->run(*on.classifier, threat, input, Rng(1)); });
    plain += seconds_of(plain_loop);
    on.weight_gradients(true);
    plain_weights += seconds_of(plain_loop);
    on.weight_gradients(false);
  }
  const double done = static_cast<double>(state.iterations() * kPgdImages * unit);
  state.counters["images"] = done / ours;
  state.counters["plain"] = done / plain;
  state.counters["ratio"] = plain / ours;
  state.counters["ratio_weights"] = plain_weights / ours;
  state.SetLabel(to_string(on.classifier->precision()));
}

/// A standard AutoAttack, or the same share of the budget of each part.
struct Budget {
  int64_t images, steps, queries;
};

void plain_autoattack(const Subject& on, const ThreatModel& threat, const AttackInput& input, const Budget& budget,
                      const torch::Tensor& broken_in) {
  const auto standing = [&](int64_t stage) {
    return broken_in.lt(0).logical_or(broken_in.ge(stage)).nonzero().squeeze(1);
  };
  const int64_t targets = std::min<int64_t>(9, on.classifier->classes().size() - 1);
  in_batches(on, threat, input, standing(0), [&](Plain& loop) { loop.descend(budget.steps + 1); });
  in_batches(on, threat, input, standing(1), [&](Plain& loop) { loop.descend(targets * (budget.steps + 1)); });
  in_batches(on, threat, input, standing(3), [&](Plain& loop) { loop.fab(targets * budget.steps); });
  in_batches(on, threat, input, standing(6), [&](Plain& loop) { loop.square(budget.queries); });
}

void compare_autoattack(benchmark::State& state, const std::string& model, const ThreatModel& threat,
                        const Budget& budget) {
  const Subject& on = subject(model);
  const auto input = on.input(budget.images);
  AttackSettings settings;
  settings.set("steps", budget.steps).set("queries", budget.queries);
  const auto attack = make_attack("autoattack", settings, threat.norm, false);
  double ours = 0, plain = 0, robust = 0;
  for (auto _ : state) {
    AttackResult found;
    ours += seconds_of([&] { found = attack->run(*on.classifier, threat, input, Rng(1)); });
    // An image broken in Square leaves the plain loop before it, an image left standing goes through everything.
    const auto stage = torch::where(found.success, found.stage, torch::full_like(found.stage, -1));
    plain += seconds_of([&] { plain_autoattack(on, threat, input, budget, stage); });
    robust = 1 - found.success.to(torch::kFloat64).mean().item<double>();
  }
  const double done = static_cast<double>(state.iterations() * budget.images);
  state.counters["images"] = done / ours;
  state.counters["plain"] = done / plain;
  state.counters["ratio"] = plain / ours;
  state.counters["robust"] = robust;
  state.SetLabel(to_string(on.classifier->precision()));
}

/// autoattack-fast and the whole of AutoAttack, in turns on the same images.
void compare_fast(benchmark::State& state, const std::string& model, const ThreatModel& threat, int64_t images) {
  const Subject& on = subject(model);
  const auto input = on.input(images);
  double fast = 0, standard = 0;
  AttackResult quick, whole;
  for (auto _ : state) {
    const auto run = [&](const char* name) {
      return make_attack(name, {}, threat.norm, false)->run(*on.classifier, threat, input, Rng(1));
    };
    fast += seconds_of([&] { quick = run("autoattack-fast"); });
    standard += seconds_of([&] { whole = run("autoattack"); });
  }
  const double done = static_cast<double>(state.iterations() * images);
  const auto robust = [](const AttackResult& found) {
    return 1 - found.success.to(torch::kFloat64).mean().item<double>();
  };
  state.counters["images"] = done / fast;
  state.counters["autoattack"] = done / standard;
  state.counters["ratio"] = standard / fast;
  state.counters["robust"] = robust(quick);
  state.counters["robust_autoattack"] = robust(whole);
  state.counters["differ"] = quick.success.ne(whole.success).sum().item<double>();
  state.SetLabel(to_string(on.classifier->precision()));
}

/// No image can be solved in a ball smaller than half a pixel level: the pure cost of a step, judging included.
void PgdStep(benchmark::State& state) {
  compare_pgd(state, first_model(), {Norm::Linf, 0.4 / 255}, kPgdSteps);
}

/// The whole attack at 8/255, solved images leaving, against the plain loop that drops nothing.
void Pgd40(benchmark::State& state) {
  compare_pgd(state, first_model(), {Norm::Linf, 8 / 255.0}, 1);
}

/// Standard AutoAttack on a network without defence: all is solved within a few steps.
void AutoAttackStandard(benchmark::State& state) {
  compare_autoattack(state, first_model(), {Norm::Linf, 8 / 255.0}, {32, 100, 5000});
}

/// A tenth of the budget of each part where nothing can be solved: the worst case, every image goes through everything.
void AutoAttackNothingSolved(benchmark::State& state) {
  compare_autoattack(state, first_model(), {Norm::Linf, 0.4 / 255}, {16, 10, 500});
}

/// A tenth of the budget on the shipped robust network.
void AutoAttackRobust(benchmark::State& state) {
  if (find_shipped("models/robust.pt").empty()) return state.SkipWithError("no robust network is shipped");
  compare_autoattack(state, "robust", {Norm::Linf, 4 / 255.0}, {32, 10, 500});
}

void AutoAttackFastStandard(benchmark::State& state) {
  compare_fast(state, first_model(), {Norm::Linf, 1 / 255.0}, 16);
}

void AutoAttackFastRobust(benchmark::State& state) {
  if (find_shipped("models/robust.pt").empty()) return state.SkipWithError("no robust network is shipped");
  compare_fast(state, "robust", {Norm::Linf, 4 / 255.0}, 16);
}

BENCHMARK(PgdStep)->Unit(benchmark::kSecond)->Iterations(1);
BENCHMARK(Pgd40)->Unit(benchmark::kSecond)->Iterations(2);
BENCHMARK(AutoAttackStandard)->Unit(benchmark::kSecond)->Iterations(1);
BENCHMARK(AutoAttackNothingSolved)->Unit(benchmark::kSecond)->Iterations(1);
BENCHMARK(AutoAttackRobust)->Unit(benchmark::kSecond)->Iterations(1);
BENCHMARK(AutoAttackFastStandard)->Unit(benchmark::kSecond)->Iterations(1);
BENCHMARK(AutoAttackFastRobust)->Unit(benchmark::kSecond)->Iterations(1);

}  // namespace

BENCHMARK_MAIN();
