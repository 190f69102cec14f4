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

/// Sample median of distances; the interval's ends are the order statistics whose ranks enclose the median with at
/// least 95 % probability (exact binomial). Fewer than 6 values tell so much of no two of them: [0, infinity). Infinite
/// values are allowed: they stand for "larger than anything searched". Equal values may leave an interval without
/// width.
Metric median(std::vector<double> values);

// Means. One observation of the widest kind is added to the sample's variance, so that few or equal values do not look
// certain. The same bits for any order of the values. How often the intervals hold: experiments/interval_coverage.cpp.

/// Mean of values in [0, top]. Interval: Wilson's score interval of the proportion mean/top, from as many images as
/// would give a proportion the variance of this mean.
Metric bounded_mean(std::vector<double> values, double top);

/// Mean of values >= 0 without an upper bound. Interval: mean · exp(± 1.96 s / (mean √n)), the delta method on the
/// logarithm; of zeros alone, [0, 3.69/n], the exact one of an exponential distribution's mean that rarely shows.
Metric positive_mean(std::vector<double> values);

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

/// Mean over the images of the share of people's votes that the predicted class has; what two people who vote agree in
/// bounds it. votes: (N,K) float32, rows sum to 1.
Metric accuracy_by_votes(const Outcomes& outcomes, const torch::Tensor& votes);

/// Mean recall over the classes that have images. Interval: the classes' mid-P intervals joined by the method of
/// variance estimates recovery (Zou and Donner, Statistics in Medicine 2008, eq. 4).
Metric balanced_accuracy(const torch::Tensor& confusion);

/// Unweighted mean of the F1 of the classes that have images or predictions. Interval: the classes' intervals of F1
/// (`class_scores`) joined as in `balanced_accuracy`, and widened by what their correlation adds to the standard error:
/// an image taken for another class's lowers two F1. The factor, in [1, √2], is the delta method's, with one more wrong
/// image spread over the cells; it is nearer to √2 the fewer images there are.
Metric macro_f1(const torch::Tensor& confusion);

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
/// upwards, and positive for a perfectly calibrated network too, so that it has no interval (NaN): compare it with
/// `calibrated_ece`.
Metric expected_calibration_error(const Outcomes& outcomes);

/// What `expected_calibration_error` would be if these confidences were right: mean and central 95 % of 1000 draws in
/// which each prediction is right with the probability of its confidence (consistency resampling; Bröcker and Smith,
/// Weather and Forecasting 2007). An ECE above the interval speaks against calibration. Where all draws agree, the
/// interval is wider by what one image can change, 1/n.
Metric calibrated_ece(const Outcomes& outcomes, const Rng& rng);

/// Mean over images of the squared distance between probabilities and the one-hot label, in [0,2] (Brier 1950).
Metric brier_score(const Outcomes& outcomes);

/// Mean of -ln p(true class), in nats; probabilities are taken as at least 1e-45, so one image counts at most 103.6.
Metric negative_log_likelihood(const Outcomes& outcomes);

}  // namespace fercli
