#include "models/profile.hpp"

#include <ATen/ATen.h>

#include <algorithm>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "core/random.hpp"
#include "models/kernels/fast_conv.hpp"
#include "models/networks/layer_trace.hpp"
#include "models/networks/model.hpp"
#include "models/summary.hpp"

namespace fercli {

namespace {

constexpr int64_t kLeastRepeats = 3;

/// Once unseen, then for that long.
template <class Work>
void repeat(double seconds, const Work& work) {
  work(false);
  const auto begun = Clock::now();
  for (int64_t i = 0; i < kLeastRepeats || seconds_since(begun) < seconds; ++i) {
    throw_if_interrupted();
    work(true);
  }
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<int64_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// The best of many products of a (4096,512) with a (512,512) matrix, by the library that convolves.
double measured_peak(torch::ScalarType type, double seconds) {
  constexpr int64_t kChannels = 512, kImages = 16, kSide = 16;
  const torch::NoGradGuard no_grad;
  const auto x = torch::ones({kImages, kChannels, kSide, kSide}).to(type).contiguous(torch::MemoryFormat::ChannelsLast);
  const auto weight = torch::ones({kChannels, kChannels, 1, 1});
  const auto fast = make_fast_conv({kChannels, kChannels, 1, 1, 0});
  const bool fits = fast && fits_fast_conv(x);
  if (fits) fast->set_weight(weight);
  const auto weight_as_x = weight.to(type);
  double best = 1e30;
  repeat(seconds, [&](bool) {
    const auto begun = Clock::now();
    fits ? fast->forward(x, {}, {}, false, FastConv::Rounding::Exact) : at::conv2d(x, weight_as_x);
    best = std::min(best, seconds_since(begun));
  });
  return static_cast<double>(2 * kImages * kSide * kSide * kChannels * kChannels) / best;
}

/// Passes of one kind: the seconds of each, whole and layer by layer.
struct Times {
  std::vector<double> whole, whole_back;
  std::vector<std::vector<double>> layers, layers_back;
  std::vector<LayerRecord> records;  ///< of the last pass

  void take(const LayerTrace& trace) {
    records = trace.records;
    layers.resize(records.size());
    layers_back.resize(records.size());
    for (size_t i = 0; i < records.size(); ++i) {
      layers[i].push_back(records[i].forward);
      layers_back[i].push_back(records[i].backward);
    }
  }
};

}  // namespace

NetworkProfile profile_network(const Classifier& classifier, int64_t batch, double seconds_of_each) {
  if (!classifier.device().is_cpu()) throw UserError("--profile: times the CPU; leave --device out");
  const auto& shape = classifier.preprocessing();
  const auto type = scalar_type(classifier.precision());
  std::vector<int64_t> rows(static_cast<size_t>(batch));
  for (int64_t i = 0; i < batch; ++i) rows[static_cast<size_t>(i)] = i;
  const auto noise = uniform_rows(Rng(0).split("profile"), rows, {shape.channels, shape.size, shape.columns()});
  const auto input = shape.normalised((noise + 1) / 2, type);
  const auto executor = classifier.model()->executor(classifier.execution());

  Times verdicts, gradients;
  repeat(seconds_of_each, [&](bool counts) {
    LayerTrace trace;
    const auto begun = Clock::now();
    executor->logits(input);
    if (!counts) return;
    verdicts.whole.push_back(seconds_since(begun));
    verdicts.take(trace);
  });
  repeat(seconds_of_each, [&](bool counts) {
    LayerTrace trace;
    const auto begun = Clock::now();
    const Pass pass = executor->run(input, /*keep=*/false);
    const double forward = seconds_since(begun);
    const auto turned = Clock::now();
    pass.pullback(torch::ones_like(pass.logits));
    const double backward = seconds_since(turned);
    trace.end_backward();
    if (!counts) return;
    gradients.whole.push_back(forward);
    gradients.whole_back.push_back(backward);
    gradients.take(trace);
  });
  if (verdicts.records.empty()) {
    throw UserError("--profile: LibTorch's interpreter runs this network, whose layers cannot be seen");
  }

  const auto per_image = [batch](const std::vector<double>& seconds) {
    return median(seconds) / static_cast<double>(batch);
  };
  NetworkProfile profile{batch, measured_peak(type, seconds_of_each), {}, {}};
  profile.whole = {per_image(verdicts.whole), per_image(gradients.whole), per_image(gradients.whole_back)};
  const auto network = classifier.model()->network();
  const auto named = network ? layers_as_they_end(*network, classifier.options()) : std::vector<LayerSummary>();
  for (size_t i = 0; i < verdicts.records.size(); ++i) {
    const auto& record = verdicts.records[i];
    profile.layers.push_back(
        {i < named.size() ? named[i].name : record.name,
         record.kind,
         record.flops,
         {per_image(verdicts.layers[i]), per_image(gradients.layers.at(i)), per_image(gradients.layers_back.at(i))}});
  }
  return profile;
}

}  // namespace fercli
