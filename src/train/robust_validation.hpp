#pragma once

#include <cstdint>
#include <vector>

#include "core/observer.hpp"
#include "data/dataset.hpp"
#include "models/classifier.hpp"

namespace fercli {

/// How many of these labels, int64 (N), each class has.
std::vector<int64_t> count_classes(const torch::Tensor& labels, int64_t classes);

/// How many images of each class keep their label under attack.
struct RobustCounts {
  std::vector<int64_t> hits, images;  ///< one per class

  double balanced_accuracy() const;  ///< mean over the classes that have images
  /// Accuracy on data whose classes have these numbers of images, from the accuracy within each class.
  double accuracy(const std::vector<int64_t>& class_sizes) const;
};

/// Robust accuracy on a fixed part of the validation images, with as many images of each class as there are. Which
/// images belong to it depends on their pixels alone, so runs can be compared with each other.
class RobustValidation {
 public:
  /// Untargeted PGD on the cross-entropy, Linf, 8-bit, `steps` steps. At most `images` images.
  RobustValidation(const Dataset& validation, double eps, int64_t images, int64_t steps);

  /// On the first `images` of the part; these are of all classes too. Of them, those that this rank sees to. Throws
  /// Interrupted.
  RobustCounts measure(const Classifier& classifier, int64_t images, int64_t rank = 0, int64_t ranks = 1,
                       Observer& observer = Observer::none()) const;

  int64_t size() const { return part_.size(); }
  const std::vector<int64_t>& class_sizes() const { return class_sizes_; }  ///< of all validation images

 private:
  Dataset part_;
  std::vector<int64_t> class_sizes_;
  double eps_;
  int64_t steps_;
};

}  // namespace fercli
