// How often fercli's 95 % intervals hold the true value, by simulation.
//
//     interval_coverage [REPEATS [SEED [MEASURE]]]
//
// A network of 7 classes in FER2013's proportions is drawn: its confusion is fixed, so that the true accuracy, balanced
// accuracy and macro F1 are known (of one that is right on 45 to 88 % of a class, and of two that are right on 92 and
// on 30 % of each); its probabilities are calibrated, so that the true ECE is what chance leaves, and the expected
// Brier score and NLL follow from the probabilities. Prints one Markdown row per measure and n: the share of REPEATS
// (2000) data sets whose interval holds the true value, and the interval's mean width. SEED: 1. MEASURE: how the names
// of the measures begin that are tried; without it all.
#include <array>
#include <cmath>
#include <cstdio>
#include <functional>

#include "core/text.hpp"
#include "eval/measures/metrics.hpp"
#include "eval/result.hpp"

namespace {

using namespace fercli;

constexpr int64_t kClasses = 7;
constexpr std::array<double, kClasses> kShares{0.137, 0.015, 0.147, 0.245, 0.165, 0.116, 0.175};
using Recalls = std::array<double, kClasses>;
constexpr Recalls kUsual{0.60, 0.55, 0.45, 0.88, 0.55, 0.80, 0.68}, kGood{.92, .92, .92, .92, .92, .92, .92},
    kBad{.3, .3, .3, .3, .3, .3, .3};
constexpr int64_t kPopulation = 4000000;  ///< images from which the true values of Brier and NLL are taken, in all

int64_t draw_from(const double* shares, int64_t count, double u) {
  for (int64_t k = 0; k + 1 < count; ++k) {
    if ((u -= shares[k]) < 0) return k;
  }
  return count - 1;
}

using Cells = std::array<double, kClasses * kClasses>;

/// Probability of each cell of the confusion matrix: rows are true classes.
Cells cells(const Recalls& recalls) {
  Cells shares{};
  double total = 0;
  for (const double share : kShares) total += share;
  for (int64_t row = 0; row < kClasses; ++row) {
    for (int64_t column = 0; column < kClasses; ++column) {
      const double wrong = (1 - recalls[row]) * kShares[column] / (total - kShares[row]);
      shares[row * kClasses + column] = kShares[row] / total * (row == column ? recalls[row] : wrong);
    }
  }
  return shares;
}

torch::Tensor draw_confusion(const Cells& cells, int64_t n, Rng& rng) {
  auto matrix = torch::zeros({kClasses, kClasses}, torch::kInt64);
  auto* count = matrix.data_ptr<int64_t>();
  for (int64_t i = 0; i < n; ++i) ++count[draw_from(cells.data(), kClasses * kClasses, rng.uniform())];
  return matrix;
}

/// Softmax of normal logits, and labels drawn from it.
Outcomes draw_calibrated(int64_t n, Rng& rng) {
  Outcomes outcomes{torch::empty({n, kClasses}, torch::kFloat64), torch::empty({n}, torch::kInt64)};
  constexpr double kSpread = 2;
  auto* logit = outcomes.probabilities.data_ptr<double>();
  for (int64_t i = 0; i < n * kClasses; ++i) logit[i] = kSpread * rng.normal();
  outcomes.probabilities = torch::softmax(outcomes.probabilities, 1).contiguous();
  const auto* row = outcomes.probabilities.data_ptr<double>();
  for (int64_t i = 0; i < n; ++i, row += kClasses) {
    outcomes.labels.data_ptr<int64_t>()[i] = draw_from(row, kClasses, rng.uniform());
  }
  return outcomes;
}

/// The expected score of a calibrated network, over `kPopulation` images.
double true_score(bool brier, const Rng& rng) {
  constexpr int64_t kPieces = 40;
  double sum = 0;
  for (int64_t piece = 0; piece < kPieces; ++piece) {
    Rng stream = rng.split(static_cast<uint64_t>(piece));
    const auto p = draw_calibrated(kPopulation / kPieces, stream).probabilities;
    sum += (brier ? 1 - p.square().sum(1) : -(p * p.log()).sum(1)).mean().item<double>();
  }
  return sum / kPieces;
}

struct Tried {
  bool holds;
  double width;
};

Tried tried(const Metric& metric, double truth) {
  return {metric.interval.low <= truth && truth <= metric.interval.high, metric.interval.high - metric.interval.low};
}

/// The classes' true recall or F1, averaged over those that occur in this data set: the measure's own rule.
double true_mean(const Cells& cells, const torch::Tensor& matrix, bool f1) {
  double sum = 0;
  int64_t occurring = 0;
  for (int64_t k = 0; k < kClasses; ++k) {
    const int64_t support = matrix[k].sum().item<int64_t>(), predicted = matrix.select(1, k).sum().item<int64_t>();
    if (support == 0 && (!f1 || predicted == 0)) continue;
    double row = 0, column = 0;
    for (int64_t other = 0; other < kClasses; ++other) {
      row += cells[k * kClasses + other];
      column += cells[other * kClasses + k];
    }
    const double right = cells[k * kClasses + k];
    sum += f1 ? 2 * right / (row + column) : right / row;
    ++occurring;
  }
  return sum / occurring;
}

/// A measure, tried on one data set of n images.
struct Measure {
  std::string name;
  std::function<Tried(int64_t n, Rng& rng)> once;
};

/// Measures of a confusion matrix.
void add_measures(const std::string& network, const Cells& cells, std::vector<Measure>* all) {
  double right = 0;
  for (int64_t k = 0; k < kClasses; ++k) right += cells[k * kClasses + k];
  all->push_back({"accuracy" + network,
                  [=](int64_t n, Rng& rng) { return tried(accuracy(draw_confusion(cells, n, rng)), right); }});
  for (const bool f1 : {false, true}) {
    all->push_back({(f1 ? "macro F1" : "balanced accuracy") + network, [=](int64_t n, Rng& rng) {
                      const auto matrix = draw_confusion(cells, n, rng);
                      return tried(f1 ? macro_f1(matrix) : balanced_accuracy(matrix), true_mean(cells, matrix, f1));
                    }});
  }
}

std::vector<Measure> measures(const Rng& rng) {
  const double brier = true_score(true, rng.split("brier")), nll = true_score(false, rng.split("nll"));
  std::vector<Measure> all;
  add_measures("", cells(kUsual), &all);
  add_measures(", recalls of 92 %", cells(kGood), &all);
  add_measures(", recalls of 30 %", cells(kBad), &all);
  all.push_back({"ECE of a calibrated network", [](int64_t n, Rng& r) {
                   const auto outcomes = draw_calibrated(n, r);
                   return tried(calibrated_ece(outcomes, r.split("draws")), expected_calibration_error(outcomes).value);
                 }});
  all.push_back({"Brier score", [=](int64_t n, Rng& r) { return tried(brier_score(draw_calibrated(n, r)), brier); }});
  all.push_back({"NLL", [=](int64_t n, Rng& r) { return tried(negative_log_likelihood(draw_calibrated(n, r)), nll); }});
  all.push_back({"median", [](int64_t n, Rng& r) {
                   std::vector<double> values;
                   for (int64_t i = 0; i < n; ++i) values.push_back(std::exp(r.normal()));
                   return tried(median(std::move(values)), 1);
                 }});
  return all;
}

void print_row(const Measure& measure, int64_t n, int64_t repeats, const Rng& rng) {
  int64_t held = 0;
  double width = 0;
  for (int64_t i = 0; i < repeats; ++i) {
    Rng stream = rng.split(static_cast<uint64_t>(n)).split(static_cast<uint64_t>(i));
    const Tried result = measure.once(n, stream);
    held += result.holds;
    width += result.width;
  }
  const Metric share = proportion(held, repeats);
  fmt::print("| {} | {} | {} | {:.4f} |\n", measure.name, n, format_share(share), width / static_cast<double>(repeats));
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  const int64_t repeats = argc > 1 ? parse_integer(argv[1]) : 2000;
  const Rng rng(argc > 2 ? static_cast<uint64_t>(parse_integer(argv[2])) : 1);
  fmt::print("| measure | n | coverage, % (95 % CI; {} data sets) | mean width |\n|---|---|---|---|\n", repeats);
  const std::string wanted = argc > 3 ? argv[3] : "";
  for (const auto& measure : measures(rng.split("truth"))) {
    if (measure.name.compare(0, wanted.size(), wanted) != 0) continue;
    for (const int64_t n : {1, 10, 100, 500, 3589}) print_row(measure, n, repeats, rng.split(measure.name));
  }
  return 0;
}
