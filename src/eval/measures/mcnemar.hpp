#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "eval/measures/metrics.hpp"

namespace fercli {

/// Two classifiers (or one under two attacks) on the same images.
struct PairedOutcomes {
  int64_t both = 0, only_first = 0, only_second = 0, neither = 0;  ///< images that these get right

  int64_t n() const { return both + only_first + only_second + neither; }
};

/// Counts over the ids that both have; the value says whether the image was right.
PairedOutcomes pair_outcomes(const std::map<std::string, bool>& first, const std::map<std::string, bool>& second);

/// Two-sided exact McNemar test (McNemar 1947; exact binomial form): the probability, if both are equally good, that
/// the images which only one gets right divide at least as unevenly as here. 1 when there are none.
double mcnemar_exact(int64_t only_first, int64_t only_second);

/// These p, corrected for their number (Holm, Scandinavian Journal of Statistics 1979).
std::vector<double> holm(const std::vector<double>& p);

/// Accuracy of the first minus that of the second, with the interval of Agresti & Min (Statistics in Medicine 2005):
/// Wald's after 1/2 was added to each of the four counts. In [-1, 1].
Metric paired_difference(const PairedOutcomes& outcomes);

/// What two accuracies say of each other; `difference.n` images.
struct PairedFigures {
  PairedOutcomes images;
  Metric first, second, difference;
  double p = 1;  ///< see `mcnemar_exact`
};

template <class Visitor>
void visit_fields(Visitor& field, PairedFigures& figures) {
  field("n", figures.difference.n);
  field("both", figures.images.both, "images that both networks get right");
  field("only_first", figures.images.only_first);
  field("only_second", figures.images.only_second);
  field("neither", figures.images.neither);
  field("first", figures.first);
  field("second", figures.second);
  field("difference", figures.difference);
  field("p", figures.p, "exact McNemar");
}

PairedFigures paired_figures(const PairedOutcomes& outcomes);

}  // namespace fercli
