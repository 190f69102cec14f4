#include "models/graph/linf_bounds.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/autograd.h>

#include <functional>
#include <limits>

#include "core/error.hpp"
#include "core/text.hpp"
#include "models/graph/attributes.hpp"
#include "models/graph/operator.hpp"

namespace fercli {

namespace {

constexpr double kRoundoff = 0x1p-24, kBallSlack = 0x1p-22;
constexpr double kSurplus = 1.01;       // for the roundings of float64
constexpr double kUnderflow = 1e-30;    // what float32 may lose near 0
constexpr int64_t kFewOperations = 16;  // of a value that is no long sum; also what folding a BatchNorm adds
constexpr int64_t kMostElementsOfBounds = int64_t{1} << 27;
constexpr double kBeyondAll = std::numeric_limits<double>::infinity();

bool is_real(const torch::Tensor& x) {
  return x.defined() && at::isFloatingType(x.scalar_type());
}

BoundRule bound_rule(const GraphNode& node) {
  const bool moves = has_effect(node, Effect::Nothing) || has_effect(node, Effect::Moves);
  return moves ? BoundRule::Moving : fact_of<BoundRule>(node);
}

bool can_be_bounded(const GraphNode& node, const std::function<bool(const std::string&)>& varies) {
  const auto rule = bound_rule(node);
  const auto allowed = fact_of<Varying>(node);
  if (rule == BoundRule::None) return false;
  int64_t varying = 0;
  bool behind_first = false;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    if (!varies(node.inputs[i])) continue;
    ++varying;
    behind_first = behind_first || i > 0;
  }
  if (allowed == Varying::First && behind_first) return false;
  if (allowed == Varying::One && varying > 1) return false;
  const auto falls = [&](const char* factor) { return node.attributes.value(factor, 1.0) < 0; };
  return rule != BoundRule::Monotone || !(falls("alpha") || falls("gamma"));
}

/// What a linear node makes of magnitudes: no weight, and nothing that is added, is below 0.
torch::Tensor of_magnitudes(GraphNode node, Tensors inputs, const std::vector<bool>& constant) {
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (constant[i] && is_real(inputs[i])) inputs[i] = inputs[i].abs();
  }
  if (const auto take = fact_of<Magnitudes>(node).take) take(node, inputs);
  return run_node(node, std::move(inputs), kMostElementsOfBounds).at(0);
}

/// How many operations one number of the result takes.
int64_t operations_of(const GraphNode& node, const Tensors& inputs, const torch::Tensor& result) {
  const auto few = kFewOperations + static_cast<int64_t>(inputs.size());
  const auto count = fact_of<Terms>(node).count;
  return count == nullptr ? few : few + count(node, inputs, result);
}

double rounding_share(int64_t operations) {
  const double error = static_cast<double>(operations) * kRoundoff;
  return kSurplus * error / (1 - error);
}

Between with_slack(const Between& exact, const torch::Tensor& slack) {
  return {exact.lower - slack, exact.upper + slack};
}

torch::Tensor largest_magnitude(const Between& value) {
  return at::maximum(value.lower.abs(), value.upper.abs());
}

/// Sum over all axes but the first.
torch::Tensor sums_by_row(const torch::Tensor& x) {
  return x.flatten(1).sum(1);
}

/// Linear functions of values, one per row.
struct Pulled {
  Tensors coefficients;    ///< (S,…) of each input
  torch::Tensor constant;  ///< (S)
};

/// Linear functions of what `linear` makes as functions of what it is given. rows: (S,…) of each result, undefined
/// where it counts nothing; `at`: where the inputs are taken to be.
Pulled pulled_back(const std::function<Tensors(const Tensors&)>& linear, const Tensors& at, const Tensors& rows) {
  const torch::AutoGradMode with_grad(true);
  Tensors inputs, results, taken;
  for (const auto& x : at) inputs.push_back(x.detach().requires_grad_(true));
  const auto made = linear(inputs);
  for (size_t i = 0; i < made.size() && i < rows.size(); ++i) {
    if (!rows[i].defined()) continue;
    results.push_back(made[i]);
    taken.push_back(rows[i]);
  }
  const int64_t count = taken.front().size(0);
  std::vector<Tensors> gradients(inputs.size());
  for (int64_t s = 0; s < count; ++s) {
    Tensors row;
    for (const auto& all : taken) row.push_back(all[s]);
    const auto found = torch::autograd::grad(results, inputs, row, /*retain_graph=*/true, /*create_graph=*/false,
                                             /*allow_unused=*/true);
    for (size_t i = 0; i < inputs.size(); ++i) {
      gradients[i].push_back(found[i].defined() ? found[i] : torch::zeros_like(at[i]));
    }
  }
  Pulled pulled{{}, torch::zeros({count}, torch::kFloat64)};
  for (const auto& rows_of_input : gradients) pulled.coefficients.push_back(torch::stack(rows_of_input));
  for (size_t i = 0; i < results.size(); ++i) pulled.constant += sums_by_row(taken[i] * results[i].detach());
  return pulled;
}

/// Whether no input of a window but one can be the largest; where the windows are unusual, never. mid: the middle.
torch::Tensor has_one_winner(const GraphNode& node, const Between& x, const torch::Tensor& mid,
                             const torch::Tensor& result) {
  const auto pads = whole_attributes(node, "pads", {0, 0, 0, 0});
  if (node.attributes.value("auto_pad", "NOTSET") != "NOTSET" || whole_attribute(node, "ceil_mode", 0) != 0) {
    return torch::zeros_like(result, torch::kBool);
  }
  const auto kernel = whole_attributes(node, "kernel_shape", {1, 1});
  const auto columns = [&](const torch::Tensor& values) {
    const auto padded = at::constant_pad_nd(values, {pads[1], pads[3], pads[0], pads[2]}, -kBeyondAll);
    return at::im2col(padded, kernel, whole_attributes(node, "dilations", {1, 1}), {0, 0},
                      whole_attributes(node, "strides", {1, 1}))
        .view({values.size(0), values.size(1), kernel[0] * kernel[1], -1});
  };
  const auto winner = columns(mid).argmax(2, /*keepdim=*/true);
  const auto least = columns(x.lower).gather(2, winner).squeeze(2);
  const auto others = at::amax(columns(x.upper).scatter(2, winner, -kBeyondAll), 2);
  return (least >= others).view(result.sizes());
}

}  // namespace

/// What one pass through the network finds.
struct LinfBounds::Forward {
  std::map<std::string, Between> values;       // constants too, with equal bounds
  std::map<std::string, torch::Tensor> slack;  // how far results of linear nodes may be from exact ones

  Tensors inputs(const GraphNode& node, const std::function<torch::Tensor(const Between&)>& take) const {
    Tensors list;
    for (const auto& name : node.inputs) list.push_back(name.empty() ? torch::Tensor() : take(values.at(name)));
    return list;
  }
};

LinfBounds::LinfBounds(Graph graph, Preprocessing preprocessing)
    : graph_(std::move(graph)), preprocessing_(std::move(preprocessing)) {
  for (auto& [name, value] : graph_.constants) {
    if (is_real(value)) value = value.to(torch::kFloat64);
  }
  varying_.insert(graph_.input);
  std::vector<std::string> refused;
  for (const auto& node : graph_.nodes) {
    const bool depends =
        std::any_of(node.inputs.begin(), node.inputs.end(), [this](const auto& name) { return varies(name); });
    if (!depends || has_effect(node, Effect::Measures)) continue;
    for (const auto& name : node.outputs) varying_.insert(name);
    if (!can_be_bounded(node, [this](const std::string& name) { return varies(name); })) {
      refused.push_back(fmt::format("{} ({})", node.name, node.op));
    }
  }
  if (!refused.empty()) throw UserError(fmt::format("no bounds are known for these layers: {}", join(refused, ", ")));
}

void LinfBounds::bound(const GraphNode& node, Forward& found) const {
  const auto lower = [&] { return found.inputs(node, [](const Between& value) { return value.lower; }); };
  const auto upper = [&] { return found.inputs(node, [](const Between& value) { return value.upper; }); };
  const auto run = [](const GraphNode& which, Tensors inputs) {
    return run_node(which, std::move(inputs), kMostElementsOfBounds);
  };
  if (!varies(node.outputs.at(0))) {
    const auto results = run(node, lower());
    for (size_t i = 0; i < node.outputs.size(); ++i) found.values[node.outputs[i]] = {results.at(i), results.at(i)};
    return;
  }
  const BoundRule rule = bound_rule(node);
  if (rule == BoundRule::Moving || rule == BoundRule::Relu || rule == BoundRule::Largest) {
    const auto least = run(node, lower()), most = run(node, upper());
    for (size_t i = 0; i < node.outputs.size(); ++i) found.values[node.outputs[i]] = {least.at(i), most.at(i)};
    return;
  }
  if (rule == BoundRule::Monotone) {
    const Between exact{run(node, lower()).at(0), run(node, upper()).at(0)};
    found.values[node.outputs[0]] = with_slack(exact, rounding_share(kFewOperations) * (1 + largest_magnitude(exact)));
    return;
  }
  bound_linear(node, rule, found);
}

void LinfBounds::bound_linear(const GraphNode& node, BoundRule rule, Forward& found) const {
  /// Of the inputs that vary only.
  const auto inputs = [&](const std::function<torch::Tensor(const Between&)>& take) {
    return found.inputs(
        node, [&](const Between& value) { return value.lower.is_same(value.upper) ? value.lower : take(value); });
  };
  std::vector<bool> constant;
  for (const auto& name : node.inputs) constant.push_back(!varies(name));
  const auto magnitudes = [&](const std::function<torch::Tensor(const Between&)>& take) {
    return of_magnitudes(node, inputs(take), constant);
  };
  const auto plain = [&](const std::function<torch::Tensor(const Between&)>& take) {
    return run_node(node, inputs(take), kMostElementsOfBounds).at(0);
  };
  Between exact;
  if (rule == BoundRule::Rising) {
    exact = {plain([](const Between& value) { return value.lower; }),
             plain([](const Between& value) { return value.upper; })};
  } else {
    const auto middle = plain([](const Between& value) { return (value.lower + value.upper) / 2; });
    const auto reach = magnitudes([](const Between& value) { return (value.upper - value.lower) / 2; }) -
                       magnitudes([](const Between& value) { return torch::zeros_like(value.lower); });
    exact = {middle - reach, middle + reach};
  }
  const auto sizes = magnitudes(largest_magnitude);
  const int64_t operations = operations_of(node, inputs([](const Between& value) { return value.lower; }), sizes);
  const auto slack = rounding_share(operations) * sizes + kUnderflow;
  found.slack[node.outputs.at(0)] = slack;
  found.values[node.outputs[0]] = with_slack(exact, slack);
}

LinfBounds::Forward LinfBounds::forward(const Between& images) const {
  const auto& p = preprocessing_;
  double channel_size = 1;  // of x - mean
  for (const double mean : p.mean) channel_size = std::max(channel_size, 1 + std::abs(mean));
  const double scale = *std::min_element(p.std.begin(), p.std.end());
  const bool resizes = images.lower.size(2) != p.size || images.lower.size(3) != p.columns() || p.crop_from > 0;
  const int64_t operations =
      resizes ? kFewOperations * std::max({images.lower.size(2), images.lower.size(3), p.shown_side()})
              : kFewOperations;
  Forward found;
  const Between exact{p.input(images.lower, torch::kFloat64), p.input(images.upper, torch::kFloat64)};
  found.slack[graph_.input] =
      torch::full_like(exact.lower, rounding_share(operations) * channel_size / scale + kUnderflow);
  found.values[graph_.input] = with_slack(exact, found.slack[graph_.input]);
  for (const auto& [name, value] : graph_.constants) found.values[name] = {value, value};
  for (const auto& node : graph_.nodes) bound(node, found);
  return found;
}

/// Lower bounds of linear functions of the logits, back to the image.
class LinfBounds::Backward {
 public:
  Backward(const LinfBounds& network, const Forward& forward) : network_(network), forward_(forward) {}

  /// rows: (S,1,K) of the logits. Returns the bounds at the last linear layers, and the best of all: (S) each.
  std::pair<torch::Tensor, torch::Tensor> run(const torch::Tensor& rows, const Between& images) {
    constant_ = torch::zeros({rows.size(0)}, torch::kFloat64);
    add(network_.graph_.output, rows);
    torch::Tensor first, best;
    const auto weigh = [&] {
      const auto here = concretised();
      if (!first.defined()) first = best = here;
      best = at::maximum(best, here);
    };
    const auto& nodes = network_.graph_.nodes;
    for (auto node = nodes.rbegin(); node != nodes.rend(); ++node) {
      const bool asked = std::any_of(node->outputs.begin(), node->outputs.end(),
                                     [this](const auto& name) { return pending_.count(name) > 0; });
      if (!asked || !network_.varies(node->outputs.at(0))) continue;
      const BoundRule rule = bound_rule(*node);
      const bool linear = rule == BoundRule::Weighted || rule == BoundRule::Rising || rule == BoundRule::Moving;
      if (!linear) weigh();
      step(*node, rule);
    }
    weigh();
    pull_through([&](const Tensors& x) -> Tensors { return {network_.preprocessing_.input(x[0], torch::kFloat64)}; },
                 {network_.graph_.input}, {images.lower}, {""});
    const auto& left = pending_.at("");
    constant_ += sums_by_row(left.clamp_min(0) * images.lower + left.clamp_max(0) * images.upper);
    return {first, at::maximum(best, constant_)};
  }

 private:
  void add(const std::string& value, const torch::Tensor& rows) {
    auto& pending = pending_[value];
    pending = pending.defined() ? pending + rows : rows;
  }

  torch::Tensor take(const std::string& value) {
    const auto found = pending_.find(value);
    if (found == pending_.end()) return {};
    auto rows = found->second;
    pending_.erase(found);
    return rows;
  }

  /// The bound that what is pending gives with the interval bounds of its values.
  torch::Tensor concretised() const {
    auto bound = constant_.clone();
    for (const auto& [value, rows] : pending_) {
      const Between& between = forward_.values.at(value);
      bound += sums_by_row(rows.clamp_min(0) * between.lower + rows.clamp_max(0) * between.upper);
    }
    return bound;
  }

  /// Through something linear: from its results to its inputs, which are taken at 0, so that its constant shows.
  void pull_through(const std::function<Tensors(const Tensors&)>& linear, const std::vector<std::string>& outputs,
                    const Tensors& like, const std::vector<std::string>& inputs) {
    Tensors rows, zeros;
    for (const auto& output : outputs) {
      rows.push_back(take(output));
      const auto slack = forward_.slack.find(output);
      if (rows.back().defined() && slack != forward_.slack.end()) {
        constant_ -= sums_by_row(rows.back().abs() * slack->second);
      }
    }
    for (const auto& x : like) zeros.push_back(torch::zeros_like(x));
    const Pulled pulled = pulled_back(linear, zeros, rows);
    constant_ += pulled.constant;
    for (size_t i = 0; i < inputs.size(); ++i) add(inputs[i], pulled.coefficients[i]);
  }

  void step(const GraphNode& node, BoundRule rule) {
    if (rule == BoundRule::Relu) return relu(node);
    if (rule == BoundRule::Largest) return largest(node);
    if (rule == BoundRule::Monotone) return constants(node.outputs.at(0), take(node.outputs.at(0)));
    std::vector<std::string> varying;
    std::vector<size_t> places;
    Tensors like;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (!network_.varies(node.inputs[i])) continue;
      varying.push_back(node.inputs[i]);
      places.push_back(i);
      like.push_back(forward_.values.at(node.inputs[i]).lower);
    }
    pull_through(
        [&](const Tensors& x) {
          auto all = forward_.inputs(node, [](const Between& value) { return value.lower; });
          for (size_t i = 0; i < places.size(); ++i) all[places[i]] = x[i];
          return run_node(node, std::move(all), kMostElementsOfBounds);
        },
        node.outputs, like, varying);
  }

  /// Over 0 or x, and under the chord from lower to upper.
  void relu(const GraphNode& node) {
    const auto rows = take(node.outputs.at(0));
    const auto& [lower, upper] = forward_.values.at(node.inputs.at(0));
    const auto bends = (lower < 0) & (upper > 0);
    const auto chord = at::where(bends, upper / (upper - lower).clamp_min(1e-300), (lower >= 0).to(torch::kFloat64));
    const auto floor = at::where(bends, (upper > -lower).to(torch::kFloat64), chord);
    const auto falling = rows.clamp_max(0);
    constant_ -= sums_by_row(falling * at::where(bends, chord * lower, torch::zeros_like(lower)));
    add(node.inputs[0], rows.clamp_min(0) * floor + falling * chord);
  }

  void largest(const GraphNode& node) {
    const auto& x = forward_.values.at(node.inputs.at(0));
    const auto middle = (x.lower + x.upper) / 2;
    const auto rows = take(node.outputs.at(0));
    const auto linear = (rows >= 0) | has_one_winner(node, x, middle, forward_.values.at(node.outputs[0]).lower);
    constants(node.outputs[0], at::where(linear, torch::zeros_like(rows), rows));
    const auto run = [&](const Tensors& inputs) { return run_node(node, inputs, kMostElementsOfBounds); };
    add(node.inputs[0], pulled_back(run, {middle}, {at::where(linear, rows, torch::zeros_like(rows))}).coefficients[0]);
  }

  /// By the interval bounds of a value, which is followed no further.
  void constants(const std::string& value, const torch::Tensor& rows) {
    const Between& between = forward_.values.at(value);
    constant_ += sums_by_row(rows.clamp_min(0) * between.lower + rows.clamp_max(0) * between.upper);
  }

  const LinfBounds& network_;
  const Forward& forward_;
  std::map<std::string, torch::Tensor> pending_;  // linear functions of values, (S,…)
  torch::Tensor constant_;                        // (S)
};

LeastMargins LinfBounds::margins(const torch::Tensor& image, double eps, int64_t label) const {
  const torch::NoGradGuard no_grad;
  const auto x = image.to(torch::kFloat64);
  const double reach = eps + kBallSlack;
  const Between images{(x - reach).clamp(0, 1), (x + reach).clamp(0, 1)};
  const Forward found = forward(images);
  const int64_t classes = found.values.at(graph_.output).lower.size(1);
  std::vector<int64_t> others;
  for (int64_t k = 0; k < classes; ++k) {
    if (k != label) others.push_back(k);
  }
  const auto places = torch::tensor(others, torch::kInt64);
  const auto unit = torch::eye(classes, torch::kFloat64);
  const auto rows = unit[label].unsqueeze(0) - unit.index_select(0, places);
  const auto [interval, linear] = Backward(*this, found).run(rows.unsqueeze(1), images);
  const auto spread = [&](const torch::Tensor& bounds) {
    return torch::zeros({classes}, torch::kFloat64).index_copy(0, places, bounds);
  };
  return {spread(interval), spread(linear)};
}

}  // namespace fercli
