#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "eval/measures/metrics.hpp"

namespace fercli {

/// Figures are drawn by gnuplot (a child process), as PNG or, when the path ends in .svg, as SVG, and appear by rename.
/// Every `plot_…` returns true when the file was written, and false after a warning on stderr when gnuplot is missing
/// or failed: a figure is never worth losing the run. Throws as `write_file` when the place cannot be written.

/// One epoch of a training run. Accuracies are in [0,1]; NaN where not measured.
struct EpochPoint {
  int64_t epoch;
  double train_loss, train_accuracy, validation_loss, validation_accuracy, learning_rate;
  double robust_accuracy = std::numeric_limits<double>::quiet_NaN();
  double balanced_robust_accuracy = std::numeric_limits<double>::quiet_NaN();
};

/// Loss, accuracy (in %, best epoch marked: by balanced robust accuracy where it was measured, else by validation
/// accuracy) and learning rate against the epoch. `validation_images` gives the best validation accuracy its interval;
/// 0: none shown.
bool plot_learning_curves(const std::vector<EpochPoint>& epochs, int64_t validation_images,
                          const std::filesystem::path& path);

/// Images per class in one split.
struct ClassCounts {
  std::string split;
  std::vector<int64_t> counts;  ///< one per class
};

/// Grouped bars, one colour per split, each bar with its count.
bool plot_class_distribution(const std::vector<ClassCounts>& splits, const std::vector<std::string>& classes,
                             const std::string& title, const std::filesystem::path& path);

/// Counts, rows are true classes. Coloured by the share of the row in %, with the count; a class
/// without images has no share.
bool plot_confusion_matrix(const std::vector<std::vector<int64_t>>& confusion, const std::vector<std::string>& classes,
                           const std::string& title, const std::filesystem::path& path);

/// Accuracy against confidence with Wilson intervals, and below it how many images fall in each bin. `calibrated`:
/// `calibrated_ece`.
bool plot_reliability(const std::vector<ReliabilityBin>& bins, const Metric& ece, const Metric& calibrated,
                      const std::string& title, const std::filesystem::path& path);

}  // namespace fercli
