// Whether `fercli live` keeps up with a camera: drawn people at 640x480 and 30 frames a second, the display composed
// for every frame as the window would show it. The synthetic camera itself is part of the load.
//
//     bench_live                                            20 s each
//     FERCLI_BENCH_SECONDS=3600 bench_live --benchmark_filter=Camera      an hour: `growth` is what memory gained
//
// Counters: `fps` analysed and drawn, `p50`/`p95` milliseconds from a frame's arrival to its labels, `shown`
// milliseconds (95th percentile) to the composed display, `dropped` frames, `resident` MiB at the end, `growth` MiB
// since two seconds after the start.
#include <benchmark/benchmark.h>

#include <chrono>

#include "experiments/bench.hpp"
#include "live/screen/hud.hpp"
#include "models/checkpoint.hpp"
#include "serve/metrics.hpp"

namespace {

using namespace fercli;

constexpr double kWarmUp = 2;  ///< seconds of video

const Classifier& classifier() {
  static const Classifier the_classifier = [] {
    Runtime runtime;
    runtime.threads = 1;
    prepare_machine(runtime);
    return make_classifier(load_checkpoint(resolve_model("standard")), runtime);
  }();
  return the_classifier;
}

void run(benchmark::State& state, const std::string& video, Pace pace, bool attack) {
  const double seconds = number_from_environment("FERCLI_BENCH_SECONDS", 20);
  PipelineSettings settings;
  settings.pace = pace;
  settings.max_seconds = seconds;
  settings.runtime.threads = 1;
  LiveAttackSettings view{parse_emotion_goal("any-to-sad", classifier().classes())};
  for (auto _ : state) {
    LivePipeline pipeline(open_video(video), {make_face_detector("haar")}, classifier(),
                          std::make_unique<LiveAttack>(classifier(), nullptr, view), settings);
    pipeline.attack(attack);
    Hud hud(classifier().classes().names(), "en", view.goal.name);
    HudSwitches switches;
    switches.attack = attack;
    Timeline timeline;
    LatencyHistogram shown;
    double first_memory = 0;
    const auto start = Clock::now();
    while (!pipeline.finished()) {
      auto frame = pipeline.next(0.1);
      if (!frame) continue;
      const auto drawing = Clock::now();
      for (const auto& face : frame->faces) timeline.add(face.id, face.label, frame->frame.time);
      benchmark::DoNotOptimize(hud.compose(*frame, pipeline.status(), timeline, switches));
      shown.add(frame->latency_ms + frame->attack_ms +
                std::chrono::duration<double, std::milli>(Clock::now() - drawing).count());
      if (first_memory == 0 && frame->frame.time >= kWarmUp) first_memory = resident_bytes();
    }
    const double took = seconds_since(start);
    const auto status = pipeline.status();
    state.counters["fps"] = static_cast<double>(status.analysed) / took;
    state.counters["p50"] = status.latency_p50;
    state.counters["p95"] = status.latency_p95;
    state.counters["shown"] = shown.quantile(0.95);
    state.counters["dropped"] = static_cast<double>(status.dropped);
    state.counters["resident"] = resident_bytes() / (1 << 20);
    state.counters["growth"] = (resident_bytes() - first_memory) / (1 << 20);
  }
  state.SetLabel(fmt::format("{}, haar, 1 network thread", to_string(classifier().precision())));
}

/// As with a camera: frames come 30 times a second, whether they can be worked on or not.
void Camera(benchmark::State& state) {
  run(state, "synthetic:faces=2,fps=30,size=640x480", Pace::RealTime, false);
}

/// The same with both faces under attack in every frame.
void CameraWithAttack(benchmark::State& state) {
  run(state, "synthetic:faces=2,fps=30,size=640x480", Pace::RealTime, true);
}

/// How many frames a second the chain could take.
void EveryFrame(benchmark::State& state) {
  run(state, "synthetic:faces=2,fps=30,size=640x480", Pace::EveryFrame, false);
}

BENCHMARK(Camera)->Unit(benchmark::kSecond)->Iterations(1)->UseRealTime();
BENCHMARK(CameraWithAttack)->Unit(benchmark::kSecond)->Iterations(1)->UseRealTime();
BENCHMARK(EveryFrame)->Unit(benchmark::kSecond)->Iterations(1)->UseRealTime();

}  // namespace

BENCHMARK_MAIN();
