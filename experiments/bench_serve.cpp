// `fercli serve` under load: 64 and 256 clients at once, 10,000 requests over kept connections, every answer compared
// with what one client alone was told. A client whose connection breaks has lost that request, and connects again; one
// that is told to try again (503 with Retry-After) waits for that long and does.
//
//     bench_serve
//     FERCLI_BENCH_REQUESTS=2000 bench_serve --benchmark_filter=Crops/64
//
// Counters: `rate` requests per second, `lost` and `wrong` answers, `refused` (told to try again), `p50`/`p95`/`p99`
// milliseconds as the clients saw them, `resident` MiB at the end, `growth` MiB since a tenth of the requests was done.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>

#include "data/formats/reader.hpp"
#include "data/image.hpp"
#include "experiments/bench.hpp"
#include "live/video/video_source.hpp"
#include "serve/http_server.hpp"
#include "tests/serve/http_client.hpp"

namespace {

using namespace fercli;

constexpr const char* kPng = "Content-Type: image/png\r\n";

int64_t requests() {
  return integer_from_environment("FERCLI_BENCH_REQUESTS", 10000);
}

/// What the clients of one run saw together.
struct Tally {
  std::atomic<int64_t> next{0}, lost{0}, wrong{0}, refused{0};
  std::atomic<double> first_memory{0};
  std::mutex mutex;
  std::vector<double> milliseconds;
};

double quantile(std::vector<double>& values, double share) {
  const auto place = values.begin() + static_cast<int64_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), place, values.end());
  return *place;
}

/// One client: takes numbers until none is left.
void ask(int port, const std::string& image, const std::string& expected, Tally& tally) {
  std::unique_ptr<test::HttpClient> client;
  for (int64_t number = tally.next++; number < requests(); number = tally.next++) {
    const auto sent = Clock::now();
    test::HttpAnswer answer;
    for (;;) {
      try {
        if (!client) client = std::make_unique<test::HttpClient>(port);
        answer = client->request("POST", "/predict", kPng, image);
      } catch (const std::runtime_error&) {  // no connection
        answer = {};
      }
      const bool again = answer.status == 503 && !answer.headers["retry-after"].empty();
      if (answer.status == 0 || answer.headers["connection"] == "close") client.reset();
      if (!again) break;
      ++tally.refused;
      std::this_thread::sleep_for(std::chrono::seconds(std::stoi(answer.headers["retry-after"])));
    }
    tally.lost += answer.status != 200;
    tally.wrong += answer.status == 200 && answer.body != expected;
    if (number == requests() / 10) tally.first_memory = resident_bytes();
    const std::lock_guard lock(tally.mutex);
    tally.milliseconds.push_back(1000 * seconds_since(sent));
  }
}

void load(benchmark::State& state, const std::string& image) {
  const int64_t count = state.range(0);
  ApiSettings api_settings;
  api_settings.runtime.threads = 1;
  api_settings.lanes = std::max<int64_t>(1, std::thread::hardware_concurrency());
  api_settings.longest_queue = static_cast<size_t>(count);
  Api api(load_checkpoint(resolve_model("standard")), api_settings);
  HttpSettings settings;
  settings.port = 0;
  settings.rate = 0;
  settings.most_connections = count;
  HttpServer server(api, settings);
  std::thread listener([&] { server.serve(); });
  const std::string expected = test::HttpClient(server.port()).request("POST", "/predict", kPng, image).body;
  for (auto _ : state) {
    Tally tally;
    const auto start = Clock::now();
    std::vector<std::thread> clients;
    for (int64_t i = 0; i < count; ++i) {
      clients.emplace_back([&] { ask(server.port(), image, expected, tally); });
    }
    for (auto& client : clients) client.join();
    state.counters["rate"] = static_cast<double>(requests()) / seconds_since(start);
    state.counters["lost"] = static_cast<double>(tally.lost);
    state.counters["wrong"] = static_cast<double>(tally.wrong);
    state.counters["refused"] = static_cast<double>(tally.refused);
    state.counters["p50"] = quantile(tally.milliseconds, 0.5);
    state.counters["p95"] = quantile(tally.milliseconds, 0.95);
    state.counters["p99"] = quantile(tally.milliseconds, 0.99);
    state.counters["resident"] = resident_bytes() / (1 << 20);
    state.counters["growth"] = (resident_bytes() - tally.first_memory) / (1 << 20);
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

BENCHMARK(Crops)->Arg(64)->Arg(256)->Unit(benchmark::kSecond)->Iterations(1)->UseRealTime();
BENCHMARK(Pictures)->Arg(64)->Arg(256)->Unit(benchmark::kSecond)->Iterations(1)->UseRealTime();

}  // namespace

BENCHMARK_MAIN();
