#include "eval/measures/metrics.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <stdexcept>

#include "core/numbers.hpp"
#include "eval/measures/distributions.hpp"

namespace fercli {

namespace {

constexpr double kNormal975 = 1.959963984540054;  // 97.5 % quantile of the standard normal distribution
constexpr int64_t kDraws = 1000;
constexpr int64_t kFewestForMedian = 6;  // with fewer, no two order statistics enclose it so surely
constexpr double kSmallestProbability = 1e-45;
constexpr double kImagesOfDoubt = 100;  // that speak for the widest correlation of macro F1, see `correlation_factor`

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

/// How much wider than that of independent classes the standard error of macro F1 is; see `macro_f1`. Few images say
/// little of it, and mostly too little: the square is a mean with the largest possible, 2, as if `kImagesOfDoubt`
/// images had shown that.
double correlation_factor(const Counts& counts) {
  std::vector<int64_t> occurring;
  for (int64_t k = 0; k < counts.classes; ++k) {
    if (counts.support[k] + counts.predicted[k] > 0) occurring.push_back(k);
  }
  const auto classes = static_cast<double>(occurring.size());
  if (occurring.size() < 2) return 1;
  const double spread = 1 / (classes * (classes - 1)), per_class = 2 / classes, total = counts.n + 1;
  const auto f1 = [&](int64_t k) {
    return 2 * counts.right[k] / (counts.support[k] + counts.predicted[k] + per_class);
  };
  const auto slope = [&](int64_t k) { return 1 / (counts.support[k] + counts.predicted[k] + per_class); };
  double sum = 0, squares = 0,
         alone = 0;  // of the changes that one image makes: to all F1 together, and class by class
  std::vector<double> means(static_cast<size_t>(counts.classes));
  for (const int64_t row : occurring) {
    for (const int64_t column : occurring) {
      const double count = counts.matrix.data_ptr<int64_t>()[row * counts.classes + column];
      const double share = (count + (row == column ? 0 : spread)) / total;
      const double of_row = (row == column ? 2 * (1 - f1(row)) : -f1(row)) * slope(row);
      const double of_column = row == column ? 0 : -f1(column) * slope(column);
      sum += share * (of_row + of_column);
      squares += share * std::pow(of_row + of_column, 2);
      alone += share * (of_row * of_row + of_column * of_column);
      means[static_cast<size_t>(row)] += share * of_row;
      means[static_cast<size_t>(column)] += share * of_column;
    }
  }
  for (const double mean : means) alone -= mean * mean;
  const double found = alone > 0 ? std::clamp((squares - sum * sum) / alone, 1.0, 2.0) : 2.0;
  const auto n = static_cast<double>(counts.n);
  return std::sqrt((n * found + kImagesOfDoubt * 2) / (n + kImagesOfDoubt));
}

/// Wilson's interval for a proportion over `n` images, which need not be whole.
Interval score_interval(double p, double n) {
  const double z2 = kNormal975 * kNormal975, centre = (p + z2 / (2 * n)) / (1 + z2 / n);
  const double half = kNormal975 / (1 + z2 / n) * std::sqrt(p * (1 - p) / n + z2 / (4 * n * n));
  return {p == 0 ? 0.0 : std::max(0.0, centre - half), p == 1 ? 1.0 : std::min(1.0, centre + half)};
}

/// The mid-P interval of a proportion. In the mean over classes Wilson's intervals held the true value too seldom:
/// their ends are too near where a small class is all right. Exact ones held it too often.
Interval mid_p_interval(int64_t successes, int64_t n) {
  constexpr double kTail = 0.025;
  return {mid_p_lower(successes, n, kTail), 1 - mid_p_lower(n - successes, n, kTail)};
}

/// Mean of values and the variance of one, to which an observation of variance `widest` is added.
struct Moments {
  double mean, variance;
};
Moments moments(std::vector<double> values, const std::function<double(double)>& widest) {
  const auto n = static_cast<double>(values.size());
  const double mean = ordered_sum(values) / n;
  std::vector<double> squares;
  squares.reserve(values.size());
  for (const double value : values) squares.push_back((value - mean) * (value - mean));
  return {mean, (ordered_sum(squares) + widest(mean)) / n};
}

/// Confidence of the predicted class and whether it is the true one.
struct TopAnswer {
  double confidence;
  bool right;
  bool operator<(const TopAnswer& other) const {
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
std::vector<TopAnswer> top_answers(const Outcomes& outcomes) {
  const auto probabilities = checked_probabilities(outcomes);
  const auto predicted = predicted_classes(probabilities);
  const auto labels = outcomes.labels.to(torch::kCPU).contiguous();
  std::vector<TopAnswer> answers;
  for (int64_t row = 0; row < labels.size(0); ++row) {
    const int64_t guess = predicted.data_ptr<int64_t>()[row];
    answers.push_back({probabilities.data_ptr<double>()[row * probabilities.size(1) + guess],
                       guess == labels.data_ptr<int64_t>()[row]});
  }
  std::sort(answers.begin(), answers.end());
  return answers;
}

int64_t bin_of(double confidence, int64_t bins) {
  return std::clamp(static_cast<int64_t>(std::ceil(confidence * bins)) - 1, int64_t{0}, bins - 1);
}

/// A score of (probabilities of an image, its label) for each image.
std::vector<double> scores_of(const Outcomes& outcomes, const std::function<double(const double*, int64_t)>& score) {
  const auto probabilities = checked_probabilities(outcomes);
  const auto labels = outcomes.labels.to(torch::kCPU).contiguous();
  const int64_t classes = probabilities.size(1);
  std::vector<double> scores;
  for (int64_t row = 0; row < labels.size(0); ++row) {
    scores.push_back(score(probabilities.data_ptr<double>() + row * classes, labels.data_ptr<int64_t>()[row]));
  }
  return scores;
}

/// A prediction as ECE sees it.
struct BinnedConfidence {
  double confidence;
  int64_t bin;
};

/// ECE of these predictions, of which `right(i)` says whether the i-th is right.
template <class Right>
double ece_of(const std::vector<BinnedConfidence>& predictions, Right right) {
  std::array<double, kReliabilityBins> sums{};
  for (size_t i = 0; i < predictions.size(); ++i) {
    sums[static_cast<size_t>(predictions[i].bin)] += predictions[i].confidence - (right(i) ? 1 : 0);
  }
  const double sum = std::accumulate(sums.begin(), sums.end(), 0.0, [](double a, double b) { return a + std::abs(b); });
  return sum / static_cast<double>(predictions.size());
}

std::vector<BinnedConfidence> binned(const std::vector<TopAnswer>& answers) {
  std::vector<BinnedConfidence> predictions;
  predictions.reserve(answers.size());
  for (const auto& answer : answers) {
    predictions.push_back({answer.confidence, bin_of(answer.confidence, kReliabilityBins)});
  }
  return predictions;
}

}  // namespace

Interval wilson_interval(int64_t successes, int64_t n) {
  if (successes < 0 || successes > n) throw std::invalid_argument("wilson_interval: needs 0 <= successes <= n");
  if (n == 0) return {0, 1};
  return score_interval(static_cast<double>(successes) / n, static_cast<double>(n));
}

Metric proportion(int64_t successes, int64_t n) {
  return {n == 0 ? kNaN : static_cast<double>(successes) / n, wilson_interval(successes, n), n};
}

Metric median(std::vector<double> values) {
  if (values.empty()) return kNothing;
  std::sort(values.begin(), values.end());
  const auto n = static_cast<int64_t>(values.size());
  const double middle = n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
  if (n < kFewestForMedian) return {middle, {0, std::numeric_limits<double>::infinity()}, n};
  int64_t rank = 1;  // of the lower end, from 1; the upper end is its mirror image
  while (2 * rank < n && binomial_half_cdf(rank, n) <= 0.025) ++rank;
  return {middle, {values[rank - 1], values[n - rank]}, n};
}

Metric bounded_mean(std::vector<double> values, double top) {
  if (values.empty()) return kNothing;
  const auto n = static_cast<int64_t>(values.size());
  for (double& value : values) value /= top;
  const auto [p, variance] = moments(std::move(values), [](double mean) { return mean * (1 - mean); });
  const double images = variance > 0 ? n * p * (1 - p) / variance : n;
  const Interval interval = score_interval(p, images);
  return {p * top, {interval.low * top, interval.high * top}, n};
}

Metric positive_mean(std::vector<double> values) {
  if (values.empty()) return kNothing;
  const auto n = static_cast<int64_t>(values.size());
  const auto [centre, variance] = moments(std::move(values), [](double mean) { return mean * mean; });
  if (centre == 0) return {0, {0, -std::log(0.025) / static_cast<double>(n)}, n};
  const double factor = std::exp(kNormal975 * std::sqrt(variance / static_cast<double>(n)) / centre);
  return {centre, {centre / factor, centre * factor}, n};
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

Metric accuracy_by_votes(const Outcomes& outcomes, const torch::Tensor& votes) {
  const auto shares = votes.to(torch::kFloat64).gather(1, predicted_classes(outcomes.probabilities).unsqueeze(1));
  const auto flat = shares.contiguous().clamp(0, 1);
  return bounded_mean({flat.data_ptr<double>(), flat.data_ptr<double>() + flat.numel()}, 1);
}

Metric balanced_accuracy(const torch::Tensor& confusion) {
  const Counts counts(confusion);
  double sum = 0, below = 0, above = 0;
  int64_t occurring = 0;
  for (int64_t k = 0; k < counts.classes; ++k) {
    if (counts.support[k] == 0) continue;
    const double recall = static_cast<double>(counts.right[k]) / static_cast<double>(counts.support[k]);
    const Interval interval = mid_p_interval(counts.right[k], counts.support[k]);
    sum += recall;
    below += std::pow(recall - interval.low, 2);
    above += std::pow(interval.high - recall, 2);
    ++occurring;
  }
  if (occurring == 0) return kNothing;
  const double value = sum / occurring;
  return {value,
          {std::max(0.0, value - std::sqrt(below) / occurring), std::min(1.0, value + std::sqrt(above) / occurring)},
          counts.n};
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

Metric macro_f1(const torch::Tensor& confusion) {
  const Counts counts(confusion);
  if (counts.n == 0) return kNothing;
  double sum = 0, below = 0, above = 0;
  int64_t occurring = 0;
  for (const auto& score : class_scores(confusion)) {
    if (score.f1.n == 0) continue;
    sum += score.f1.value;
    below += std::pow(score.f1.value - score.f1.interval.low, 2);
    above += std::pow(score.f1.interval.high - score.f1.value, 2);
    ++occurring;
  }
  const double value = sum / occurring, factor = correlation_factor(counts) / occurring;
  return {value,
          {std::max(0.0, value - factor * std::sqrt(below)), std::min(1.0, value + factor * std::sqrt(above))},
          counts.n};
}

std::vector<ReliabilityBin> reliability(const Outcomes& outcomes, int64_t bins) {
  std::vector<double> confidence(bins);
  std::vector<int64_t> right(bins), count(bins);
  for (const auto& answer : top_answers(outcomes)) {
    const int64_t bin = bin_of(answer.confidence, bins);
    confidence[bin] += answer.confidence;
    right[bin] += answer.right;
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

Metric expected_calibration_error(const Outcomes& outcomes) {
  const auto answers = top_answers(outcomes);
  if (answers.empty()) return kNothing;
  const double value = ece_of(binned(answers), [&](size_t i) { return answers[i].right; });
  return {value, {kNaN, kNaN}, static_cast<int64_t>(answers.size())};
}

Metric calibrated_ece(const Outcomes& outcomes, const Rng& rng) {
  const auto predictions = binned(top_answers(outcomes));
  if (predictions.empty()) return kNothing;
  std::vector<double> draws;
  for (int64_t draw = 0; draw < kDraws; ++draw) {
    Rng stream = rng.split(static_cast<uint64_t>(draw));
    draws.push_back(ece_of(predictions, [&](size_t i) { return stream.chance(predictions[i].confidence); }));
  }
  const double value = ordered_sum(draws) / kDraws;  // sorts them
  Interval interval{draws[kDraws / 40 - 1], draws[kDraws - kDraws / 40]};
  const auto n = static_cast<int64_t>(predictions.size());
  if (interval.low == interval.high) {
    const double image = 1.0 / static_cast<double>(n);
    interval = {std::max(0.0, interval.low - image), std::min(1.0, interval.high + image)};
  }
  return {value, interval, n};
}

Metric brier_score(const Outcomes& outcomes) {
  const int64_t classes = outcomes.probabilities.size(-1);
  static constexpr double kLargest = 2;
  const auto scores = scores_of(outcomes, [classes](const double* probability, int64_t label) {
    double sum = 0;
    for (int64_t k = 0; k < classes; ++k) sum += std::pow(probability[k] - (k == label), 2);
    return std::min(sum, kLargest);
  });
  return bounded_mean(scores, kLargest);
}

Metric negative_log_likelihood(const Outcomes& outcomes) {
  return positive_mean(scores_of(outcomes, [](const double* probability, int64_t label) {
    return std::max(0.0, -std::log(std::max(probability[label], kSmallestProbability)));
  }));
}

}  // namespace fercli
