#include "models/networks/layer_trace.hpp"

namespace fercli {

namespace {

thread_local LayerTrace* active_trace = nullptr;

double seconds_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

}  // namespace

LayerTrace::LayerTrace() {
  active_trace = this;
}
LayerTrace::~LayerTrace() {
  active_trace = nullptr;
}

LayerTrace* LayerTrace::active() {
  return active_trace;
}

void LayerTrace::add(LayerRecord record, Clock::time_point begun, const torch::Tensor& output) {
  record.forward = seconds_since(begun);
  record.output = output.sizes().slice(output.dim() > 0 ? 1 : 0).vec();
  records.push_back(std::move(record));
  if (!output.requires_grad()) return;
  output.register_hook([this, place = records.size() - 1](const torch::Tensor& gradient) {
    arrivals_.emplace_back(place, Clock::now());
    return gradient;
  });
}

void LayerTrace::end_backward() {
  const Clock::time_point end = Clock::now();
  for (size_t i = 0; i < arrivals_.size(); ++i) {
    const auto& [place, arrival] = arrivals_[i];
    records[place].backward += seconds_between(arrival, i + 1 < arrivals_.size() ? arrivals_[i + 1].second : end);
  }
  arrivals_.clear();
}

}  // namespace fercli
