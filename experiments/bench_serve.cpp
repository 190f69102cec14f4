// `fercli serve` under load: 64 clients at once, 2,000 requests over kept connections, every answer compared with what
// one client alone was told.
//
//     bench_serve
//     FERCLI_BENCH_REQUESTS=20000 bench_serve
//
// Counters: `rate` requests per second, `lost` and `wrong` answers, `p50`/`p95` milliseconds as the clients saw them,
// `resident` MiB at the end, `growth` MiB since a tenth of the requests was done.
#include <benchmark/benchmark.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>

#include "data/formats/reader.hpp"
#include "data/image.hpp"
#include "experiments/bench.hpp"
#include "live/statistics.hpp"
#include "live/video/video_source.hpp"
#include "serve/http_server.hpp"
#include "tests/serve/http_client.hpp"

namespace {

using namespace fercli;

constexpr int kClients = 64;
constexpr const char* kPng = "Content-Type: image/png\r\n";

int64_t requests() {
  return integer_from_environment("FERCLI_BENCH_REQUESTS", 2000);
}

void load(benchmark::State& state, const std::string& image) {
  ApiSettings api_settings;
  api_settings.runtime.threads = 1;
  api_settings.lanes = std::max<int64_t>(1, std::thread::hardware_concurrency());
  Api api(load_checkpoint(resolve_model("standard")), api_settings);
  HttpSettings settings;
  settings.port = 0;
  settings.rate = 0;
  HttpServer server(api, settings);
  std::thread listener([&] { server.serve(); });
  const std::string expected = test::HttpClient(server.port()).request("POST", "/predict", kPng, image).body;
  for (auto _ : state) {
    std::atomic<int64_t> next{0}, lost{0}, wrong{0};
    std::atomic<double> first_memory{0};
    std::mutex mutex;
    LatencyHistogram latencies;
    const auto start = Clock::now();
    std::vector<std::thread> clients;
    for (int i = 0; i < kClients; ++i) {
      clients.emplace_back([&] {
        test::HttpClient client(server.port());
        for (int64_t number = next++; number < requests(); number = next++) {
          const auto sent = Clock::now();
          const auto answer = client.request("POST", "/predict", kPng, image);
          lost += answer.status != 200;
          wrong += answer.status == 200 && answer.body != expected;
          if (number == requests() / 10) first_memory = resident_bytes();
          const std::lock_guard lock(mutex);
          latencies.add(std::chrono::duration<double, std::milli>(Clock::now() - sent).count());
        }
      });
    }
    for (auto& client : clients) client.join();
    state.counters["rate"] = static_cast<double>(requests()) / seconds_since(start);
    state.counters["lost"] = static_cast<double>(lost);
    state.counters["wrong"] = static_cast<double>(wrong);
    state.counters["p50"] = latencies.quantile(0.5);
    state.counters["p95"] = latencies.quantile(0.95);
    state.counters["resident"] = resident_bytes() / (1 << 20);
    state.counters["growth"] = (resident_bytes() - first_memory) / (1 << 20);
  }
  server.stop();
  listener.join();
}

/// One face crop of 48x48 pixels a request.
void Crops(benchmark::State& state) {
  load(state, encode_png(read_dataset("synthetic:n=1,seed=5,classes=happy").images[0]));
}

/// A 640x480 picture with two faces to find.
void Pictures(benchmark::State& state) {
  Frame frame;
  open_video("synthetic:faces=2")->read(frame);
  load(state, encode_png(image_of_bgr(frame.bgr)));
}

BENCHMARK(Crops)->Unit(benchmark::kSecond)->Iterations(1)->UseRealTime();
BENCHMARK(Pictures)->Unit(benchmark::kSecond)->Iterations(1)->UseRealTime();

}  // namespace

BENCHMARK_MAIN();
