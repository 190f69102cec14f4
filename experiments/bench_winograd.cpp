// Float32 convolutions of 3x3 in the sizes of `resnet` on images of 48x48: summed directly by oneDNN, by oneDNN's own
// Winograd in whatever layout it likes best, and by fercli's Winograd. Medians of runs in turns; what changes layouts
// for oneDNN is not counted.
//   bench_winograd [REPEATS]        FERCLI_BENCH_THREADS as in the other benchmarks
#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "bench.hpp"
#include "models/kernels/fast_conv.hpp"

#if FERCLI_USES_ONEDNN

#include <oneapi/dnnl/dnnl.hpp>

namespace fercli {

namespace {

using dnnl::memory;

struct Size {
  int64_t images, channels, side;
};

/// oneDNN's Winograd, ready to run; nothing where it has none for this size on this processor.
class OneDnnWinograd {
 public:
  static std::optional<OneDnnWinograd> of(const Size& size) {
    try {
      return OneDnnWinograd(size);
    } catch (const dnnl::error&) {
      return {};
    }
  }

  void run() {
    convolution_.execute(stream_, {{DNNL_ARG_SRC, x_}, {DNNL_ARG_WEIGHTS, weight_}, {DNNL_ARG_DST, y_}});
    stream_.wait();
  }

 private:
  explicit OneDnnWinograd(const Size& size) : engine_(dnnl::engine::kind::cpu, 0), stream_(engine_) {
    const auto any = memory::format_tag::any;
    const memory::desc image({size.images, size.channels, size.side, size.side}, memory::data_type::f32, any);
    const memory::desc weight({size.channels, size.channels, 3, 3}, memory::data_type::f32, any);
    constexpr auto kind = dnnl::prop_kind::forward_inference;
    constexpr auto winograd = dnnl::algorithm::convolution_winograd;
    const memory::dims one{1, 1};
#if DNNL_VERSION_MAJOR >= 3
    const dnnl::convolution_forward::primitive_desc found(engine_, kind, winograd, image, weight, image, one, one, one);
#else
    const dnnl::convolution_forward::primitive_desc found({kind, winograd, image, weight, image, one, one, one},
                                                          engine_);
#endif
    x_ = memory(found.src_desc(), engine_);
    weight_ = memory(found.weights_desc(), engine_);
    y_ = memory(found.dst_desc(), engine_);
    convolution_ = dnnl::convolution_forward(found);
  }

  dnnl::engine engine_;
  dnnl::stream stream_;
  memory x_, weight_, y_;
  dnnl::convolution_forward convolution_;
};

/// How long each of these takes, in milliseconds: medians, all run once in each turn.
std::vector<double> medians_of(const std::vector<std::function<void()>>& works, int64_t repeats) {
  std::vector<std::vector<double>> times(works.size());
  for (int64_t turn = -1; turn < repeats; ++turn) {  // the first warms up
    for (size_t i = 0; i < works.size(); ++i) {
      const double seconds = seconds_of(works[i]);
      if (turn >= 0) times[i].push_back(1000 * seconds);
    }
  }
  std::vector<double> medians;
  for (auto& each : times) {
    std::nth_element(each.begin(), each.begin() + each.size() / 2, each.end());
    medians.push_back(each[each.size() / 2]);
  }
  return medians;
}

void compare(const Size& size, int64_t repeats) {
  const auto conv = make_fast_conv({size.channels, size.channels, 3, 1, 1});
  conv->set_weight(torch::randn({size.channels, size.channels, 3, 3}) * 0.05);
  const auto x =
      torch::randn({size.images, size.channels, size.side, size.side}).contiguous(at::MemoryFormat::ChannelsLast);
  auto theirs = OneDnnWinograd::of(size);
  std::vector<std::function<void()>> works{[&] { conv->forward(x, {}, {}, false, FastConv::Rounding::Exact); },
                                           [&] { conv->forward(x, {}, {}, false, FastConv::Rounding::Quick); }};
  if (theirs) works.emplace_back([&] { theirs->run(); });
  const auto found = medians_of(works, repeats);
  fmt::print("| {0} of {1}x{1} | {2:.2f} | {3} | {4:.2f} |\n", size.channels, size.side, found[0],
             theirs ? fmt::format("{:.2f}", found[2]) : "none", found[1]);
}

}  // namespace

}  // namespace fercli

int main(int argc, char** argv) {
  using fercli::compare;
  const int64_t repeats = argc > 1 ? fercli::parse_integer(argv[1]) : 31, images = 64;
  fercli::bench_runtime();
  torch::NoGradGuard no_grad;
  torch::manual_seed(1);
  const auto* version = dnnl_version();
  fmt::print("oneDNN {}.{}, {} threads, {} images; milliseconds, medians of {}\n\n", version->major, version->minor,
             at::get_num_threads(), images, repeats);
  fmt::print("| channels | direct | oneDNN's Winograd | fercli's Winograd |\n|---|---|---|---|\n");
  for (const auto& [channels, side] : {std::pair{64, 24}, {128, 12}, {256, 6}})
    compare({images, channels, side}, repeats);
  return 0;
}

#else

int main() {
  fmt::print("built without oneDNN, so that there is nothing to compare\n");
  return 0;
}

#endif
