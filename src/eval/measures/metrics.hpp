#pragma once

#include <torch/types.h>

#include <cstdint>
#include <vector>

#include "core/random.hpp"

namespace fercli {

/// A 95 % confidence interval.
struct Interval {
  double low;
  double high;
};

/// A measured number, how sure it is, and over how many images (or pairs, or draws) it was taken. NaN without any.
struct Metric {
  double value;
  Interval interval;
  int64_t n;
};

/// Score interval of a binomial proportion (Wilson, JASA 1927; Brown, Cai and DasGupta, Statistical Science 2001).
/// [0, 1] for n = 0. Throws std::invalid_argument unless 0 <= successes <= n.
Interval wilson_interval(int64_t successes, int64_t n);

/// successes / n with its Wilson interval.
Metric proportion(int64_t successes, int64_t n);

/// Sample median; the interval's ends are the order statistics whose ranks enclose the median with at least 95 %
/// probability (exact binomial), or the extremes when there are fewer than 6 values. Infinite values are allowed: they
/// stand for "larger than anything searched".
Metric median(std::vector<double> values);

/// Sample mean with normal interval, mean ± 1.96 s/√n. The same bits for any order of the values.
Metric mean(std::vector<double> values);

/// What a classifier said, and what is true.
struct Outcomes {
  torch::Tensor probabilities;  ///< (N,K) float32 or float64, rows sum to 1
  torch::Tensor labels;         ///< (N) int64, 0 … K-1
};

/// (N) int64: the most probable class; of equals, the lowest class number.
torch::Tensor predicted_classes(const torch::Tensor& probabilities);

/// (K,K) int64: rows are true classes, columns predicted ones. Throws std::invalid_argument on a label outside 0 … K-1.
torch::Tensor confusion_matrix(const torch::Tensor& labels, const torch::Tensor& predicted, int64_t classes);
torch::Tensor confusion_matrix(const Outcomes& outcomes, int64_t classes);

Metric accuracy(const torch::Tensor& confusion);

/// Mean recall over the classes that have images. Interval: the classes' Wilson intervals joined by the method of
/// variance estimates recovery (Zou and Donner, Statistics in Medicine 2008, eq. 4).
Metric balanced_accuracy(const torch::Tensor& confusion);

/// Unweighted mean of the F1 of the classes that have images or predictions. Interval: ± 1.96 bootstrap standard
/// errors; a point, which means nothing, where every resample gives the same: a single image, or all right or all
/// wrong.
Metric macro_f1(const torch::Tensor& confusion, const Rng& rng);

/// One class against the rest.
struct ClassScore {
  Metric precision;  ///< NaN when nothing was predicted as this class
  Metric recall;     ///< NaN when there is no image of this class
  Metric f1;         ///< 2J/(1+J) of the Jaccard index J = TP/(TP+FP+FN) and of the ends of J's Wilson interval
  int64_t support;   ///< images of this class
};

std::vector<ClassScore> class_scores(const torch::Tensor& confusion);

/// One bin of a reliability diagram: predictions whose confidence lies in (low, high].
struct ReliabilityBin {
  double low, high;
  double confidence;  ///< mean confidence of the predictions in it; NaN when empty
  Metric accuracy;    ///< share of them that is right; n = 0 when empty
};

constexpr int64_t kReliabilityBins = 15;

/// `bins` bins of equal width over [0,1].
std::vector<ReliabilityBin> reliability(const Outcomes& outcomes, int64_t bins = kReliabilityBins);

/// Expected calibration error (Guo et al., ICML 2017, eq. 3) over 15 bins of equal width. The estimate is biased
/// upwards for small n. Interval: ± 1.96 bootstrap standard errors, cut to [0,1].
Metric expected_calibration_error(const Outcomes& outcomes, const Rng& rng);

/// Mean over images of the squared distance between probabilities and the one-hot label, in [0,2] (Brier 1950).
Metric brier_score(const Outcomes& outcomes);

/// Mean of -ln p(true class), in nats; probabilities are taken as at least 1e-45, so one image counts at most 103.6.
Metric negative_log_likelihood(const Outcomes& outcomes);

}  // namespace fercli
