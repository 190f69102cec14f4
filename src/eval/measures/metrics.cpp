#include "eval/measures/metrics.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <stdexcept>

#include "core/numbers.hpp"
#include "eval/measures/distributions.hpp"

namespace fercli {

namespace {

constexpr double kNormal975 = 1.959963984540054;  // 97.5 % quantile of the standard normal distribution
constexpr int64_t kBootstrapDraws = 500;
constexpr double kSmallestProbability = 1e-45;

const Metric kNothing{kNaN, {kNaN, kNaN}, 0};

/// Adding in a fixed order makes the bits independent of the order of the images.
double ordered_sum(std::vector<double>& values) {
  std::sort(values.begin(), values.end());
  return std::accumulate(values.begin(), values.end(), 0.0);
}

/// Counts of a confusion matrix, seen from its classes.
struct Counts {
  explicit Counts(const torch::Tensor& confusion)
      : matrix(confusion.to(torch::kInt64).contiguous()), classes(confusion.size(0)) {
    const int64_t* cell = matrix.data_ptr<int64_t>();
    right.resize(classes), support.resize(classes), predicted.resize(classes);
    for (int64_t row = 0; row < classes; ++row) {
      for (int64_t column = 0; column < classes; ++column, ++cell) {
        support[row] += *cell;
        predicted[column] += *cell;
        if (row == column) right[row] = *cell;
      }
    }
    n = std::accumulate(support.begin(), support.end(), int64_t{0});
  }

  torch::Tensor matrix;
  int64_t classes, n;
  std::vector<int64_t> right, support, predicted;
};

/// Mean F1 over the classes that occur.
double macro_f1_of(const Counts& counts) {
  double sum = 0;
  int64_t occurring = 0;
  for (int64_t k = 0; k < counts.classes; ++k) {
    const int64_t both = counts.support[k] + counts.predicted[k];
    if (both == 0) continue;
    sum += 2.0 * counts.right[k] / both;
    ++occurring;
  }
  return sum / occurring;
}

/// Standard deviation of a statistic over resamples of n rows with replacement; `statistic` gets the drawn rows.
double bootstrap_error(int64_t n, const Rng& rng, const std::function<double(const std::vector<int64_t>&)>& statistic) {
  std::vector<double> values;
  std::vector<int64_t> rows(n);
  for (int64_t draw = 0; draw < kBootstrapDraws; ++draw) {
    Rng stream = rng.split(static_cast<uint64_t>(draw));
    for (auto& row : rows) row = stream.below(n);
    values.push_back(statistic(rows));
  }
  const double centre = std::accumulate(values.begin(), values.end(), 0.0) / kBootstrapDraws;
  double squares = 0;
  for (const double value : values) squares += (value - centre) * (value - centre);
  return std::sqrt(squares / (kBootstrapDraws - 1));
}

Metric with_error(double value, double standard_error, int64_t n) {
  const double half = kNormal975 * standard_error;
  return {value, {std::max(0.0, value - half), std::min(1.0, value + half)}, n};
}

/// Confidence of the predicted class and whether it is the true one.
struct Judgement {
  double confidence;
  bool right;
  bool operator<(const Judgement& other) const {
    return confidence != other.confidence ? confidence < other.confidence : right < other.right;
  }
};

torch::Tensor checked_probabilities(const Outcomes& outcomes) {
  if (outcomes.probabilities.dim() != 2 || outcomes.labels.dim() != 1 ||
      outcomes.probabilities.size(0) != outcomes.labels.size(0)) {
    throw std::invalid_argument("outcomes: needs one row of probabilities for each label");
  }
  return outcomes.probabilities.to(torch::kCPU, torch::kFloat64).contiguous();
}

/// Sorted, so that nothing computed from them depends on the order of the images.
std::vector<Judgement> judge(const Outcomes& outcomes) {
  const auto probabilities = checked_probabilities(outcomes);
  const auto predicted = predicted_classes(probabilities);
  const auto labels = outcomes.labels.to(torch::kCPU).contiguous();
  std::vector<Judgement> judgements;
  for (int64_t row = 0; row < labels.size(0); ++row) {
    const int64_t guess = predicted.data_ptr<int64_t>()[row];
    judgements.push_back({probabilities.data_ptr<double>()[row * probabilities.size(1) + guess],
                          guess == labels.data_ptr<int64_t>()[row]});
  }
  std::sort(judgements.begin(), judgements.end());
  return judgements;
}

int64_t bin_of(double confidence, int64_t bins) {
  return std::clamp(static_cast<int64_t>(std::ceil(confidence * bins)) - 1, int64_t{0}, bins - 1);
}

/// Mean over images of a score of (probabilities of the image, its label).
Metric mean_score(const Outcomes& outcomes, const std::function<double(const double*, int64_t)>& score) {
  const auto probabilities = checked_probabilities(outcomes);
  const auto labels = outcomes.labels.to(torch::kCPU).contiguous();
  const int64_t classes = probabilities.size(1);
  std::vector<double> scores;
  for (int64_t row = 0; row < labels.size(0); ++row) {
    scores.push_back(score(probabilities.data_ptr<double>() + row * classes, labels.data_ptr<int64_t>()[row]));
  }
  return mean(std::move(scores));
}

}  // namespace

Interval wilson_interval(int64_t successes, int64_t n) {
  if (successes < 0 || successes > n) throw std::invalid_argument("wilson_interval: needs 0 <= successes <= n");
  if (n == 0) return {0, 1};
  const double total = static_cast<double>(n), p = successes / total, z2 = kNormal975 * kNormal975;
  const double centre = (p + z2 / (2 * total)) / (1 + z2 / total);
  const double half = kNormal975 / (1 + z2 / total) * std::sqrt(p * (1 - p) / total + z2 / (4 * total * total));
  return {successes == 0 ? 0.0 : centre - half, successes == n ? 1.0 : centre + half};
}

Metric proportion(int64_t successes, int64_t n) {
  return {n == 0 ? kNaN : static_cast<double>(successes) / n, wilson_interval(successes, n), n};
}

Metric median(std::vector<double> values) {
  if (values.empty()) return kNothing;
  std::sort(values.begin(), values.end());
  const auto n = static_cast<int64_t>(values.size());
  const double middle = n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
  int64_t rank = 1;  // of the lower end, from 1; the upper end is its mirror image
  while (2 * rank < n && binomial_half_cdf(rank, n) <= 0.025) ++rank;
  return {middle, {values[rank - 1], values[n - rank]}, n};
}

Metric mean(std::vector<double> values) {
  if (values.empty()) return kNothing;
  const auto n = static_cast<int64_t>(values.size());
  const double centre = ordered_sum(values) / n;
  std::vector<double> squares;
  for (const double value : values) squares.push_back((value - centre) * (value - centre));
  const double half = n > 1 ? kNormal975 * std::sqrt(ordered_sum(squares) / (n - 1) / n) : kNaN;
  return {centre, {centre - half, centre + half}, n};
}

torch::Tensor predicted_classes(const torch::Tensor& probabilities) {
  const auto rows = probabilities.to(torch::kCPU, torch::kFloat64).contiguous();
  const int64_t n = rows.size(0), classes = rows.size(1);
  auto predicted = torch::empty({n}, torch::kInt64);
  for (int64_t row = 0; row < n; ++row) {
    const double* first = rows.data_ptr<double>() + row * classes;
    predicted.data_ptr<int64_t>()[row] = std::max_element(first, first + classes) - first;
  }
  return predicted;
}

torch::Tensor confusion_matrix(const torch::Tensor& labels, const torch::Tensor& predicted, int64_t classes) {
  const auto truth = labels.to(torch::kCPU).contiguous(), guess = predicted.to(torch::kCPU).contiguous();
  if (truth.sizes() != guess.sizes())
    throw std::invalid_argument("confusion_matrix: needs one prediction for each label");
  auto matrix = torch::zeros({classes, classes}, torch::kInt64);
  for (int64_t i = 0; i < truth.numel(); ++i) {
    const int64_t row = truth.data_ptr<int64_t>()[i], column = guess.data_ptr<int64_t>()[i];
    if (std::min(row, column) < 0 || std::max(row, column) >= classes) {
      throw std::invalid_argument("confusion_matrix: class numbers must lie in 0 … K-1");
    }
    ++matrix.data_ptr<int64_t>()[row * classes + column];
  }
  return matrix;
}

torch::Tensor confusion_matrix(const Outcomes& outcomes, int64_t classes) {
  return confusion_matrix(outcomes.labels, predicted_classes(outcomes.probabilities), classes);
}

Metric accuracy(const torch::Tensor& confusion) {
  const Counts counts(confusion);
  return proportion(std::accumulate(counts.right.begin(), counts.right.end(), int64_t{0}), counts.n);
}

Metric balanced_accuracy(const torch::Tensor& confusion) {
  const Counts counts(confusion);
  double sum = 0, below = 0, above = 0;
  int64_t occurring = 0;
  for (int64_t k = 0; k < counts.classes; ++k) {
    if (counts.support[k] == 0) continue;
    const Metric recall = proportion(counts.right[k], counts.support[k]);
    sum += recall.value;
    below += std::pow(recall.value - recall.interval.low, 2);
    above += std::pow(recall.interval.high - recall.value, 2);
    ++occurring;
  }
  if (occurring == 0) return kNothing;
  const double value = sum / occurring;
  return {value, {value - std::sqrt(below) / occurring, value + std::sqrt(above) / occurring}, counts.n};
}

Metric macro_f1(const torch::Tensor& confusion, const Rng& rng) {
  const Counts counts(confusion);
  if (counts.n == 0) return kNothing;
  std::vector<int64_t> cells;  // of each image
  for (int64_t cell = 0; cell < counts.matrix.numel(); ++cell) {
    cells.insert(cells.end(), counts.matrix.data_ptr<int64_t>()[cell], cell);
  }
  const double error = bootstrap_error(counts.n, rng, [&](const std::vector<int64_t>& rows) {
    auto drawn = torch::zeros_like(counts.matrix);
    for (const int64_t row : rows) ++drawn.data_ptr<int64_t>()[cells[row]];
    return macro_f1_of(Counts(drawn));
  });
  return with_error(macro_f1_of(counts), error, counts.n);
}

std::vector<ClassScore> class_scores(const torch::Tensor& confusion) {
  const Counts counts(confusion);
  const auto from_jaccard = [](double jaccard) { return 2 * jaccard / (1 + jaccard); };
  std::vector<ClassScore> scores;
  for (int64_t k = 0; k < counts.classes; ++k) {
    const Metric jaccard = proportion(counts.right[k], counts.support[k] + counts.predicted[k] - counts.right[k]);
    const Metric f1{from_jaccard(jaccard.value),
                    {from_jaccard(jaccard.interval.low), from_jaccard(jaccard.interval.high)},
                    jaccard.n};
    scores.push_back({proportion(counts.right[k], counts.predicted[k]), proportion(counts.right[k], counts.support[k]),
                      f1, counts.support[k]});
  }
  return scores;
}

std::vector<ReliabilityBin> reliability(const Outcomes& outcomes, int64_t bins) {
  std::vector<double> confidence(bins);
  std::vector<int64_t> right(bins), count(bins);
  for (const auto& judgement : judge(outcomes)) {
    const int64_t bin = bin_of(judgement.confidence, bins);
    confidence[bin] += judgement.confidence;
    right[bin] += judgement.right;
    ++count[bin];
  }
  std::vector<ReliabilityBin> result;
  for (int64_t bin = 0; bin < bins; ++bin) {
    const double width = 1.0 / bins;
    result.push_back({bin * width, (bin + 1) * width, count[bin] ? confidence[bin] / count[bin] : kNaN,
                      proportion(right[bin], count[bin])});
  }
  return result;
}

Metric expected_calibration_error(const Outcomes& outcomes, const Rng& rng) {
  const auto judgements = judge(outcomes);
  const auto n = static_cast<int64_t>(judgements.size());
  if (n == 0) return kNothing;
  std::vector<int64_t> bins;
  std::vector<double> gaps;
  for (const auto& judgement : judgements) {
    bins.push_back(bin_of(judgement.confidence, kReliabilityBins));
    gaps.push_back(judgement.confidence - judgement.right);
  }
  const auto statistic = [&](const std::vector<int64_t>& rows) {
    std::array<double, kReliabilityBins> sums{};
    for (const int64_t row : rows) sums[bins[row]] += gaps[row];
    return std::accumulate(sums.begin(), sums.end(), 0.0, [](double a, double b) { return a + std::abs(b); }) / n;
  };
  std::vector<int64_t> every(n);
  std::iota(every.begin(), every.end(), int64_t{0});
  return with_error(statistic(every), bootstrap_error(n, rng, statistic), n);
}

Metric brier_score(const Outcomes& outcomes) {
  const int64_t classes = outcomes.probabilities.size(-1);
  return mean_score(outcomes, [classes](const double* probability, int64_t label) {
    double sum = 0;
    for (int64_t k = 0; k < classes; ++k) sum += std::pow(probability[k] - (k == label), 2);
    return sum;
  });
}

Metric negative_log_likelihood(const Outcomes& outcomes) {
  return mean_score(outcomes, [](const double* probability, int64_t label) {
    return -std::log(std::max(probability[label], kSmallestProbability));
  });
}

}  // namespace fercli
