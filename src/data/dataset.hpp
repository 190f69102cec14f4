#pragma once

#include <torch/types.h>

#include <string>
#include <vector>

#include "data/label_set.hpp"

namespace fercli {

/// The official parts of FER2013; other data sets map train, validation and test to them.
enum class Split : uint8_t { None, Training, PublicTest, PrivateTest };

const char* to_string(Split split);                      ///< "none", "Training", "PublicTest", "PrivateTest"
std::optional<Split> find_split(std::string_view word);  ///< also train, validation, valid, val, dev, test; any case
Split parse_split(const std::string& word);              ///< throws UserError that lists the names

/// The kind of the containers (core/container.hpp) that hold a packed data set.
inline constexpr const char* kDatasetKind = "dataset";

/// A way to part images: by skin tone, glasses, site.
struct GroupColumn {
  std::string name;
  std::vector<std::string> values;  ///< of each image its group; "" where that is not known
};

/// Labelled images in memory.
struct Dataset {
  std::string name;              ///< where it came from, as the user wrote it
  torch::Tensor images;          ///< uint8 (N,C,H,W), C is 1 or 3 (RGB)
  torch::Tensor labels;          ///< int64 (N), index into `classes`; -1 where the source has no label
  std::vector<Split> splits;     ///< N
  std::vector<std::string> ids;  ///< N, unique: a path inside the data set, or "row-12"
  LabelSet classes;
  int64_t skipped = 0;  ///< bad entries left out on --skip-bad
  int64_t dropped = 0;  ///< images left out because of their class (`recoded`) or their votes (`with_votes`)
  torch::Tensor votes;  ///< float32 (N,K): how people's votes are shared among the classes; undefined: no votes
  std::vector<GroupColumn> groups = {};  ///< that the source knows its images by

  int64_t size() const { return static_cast<int64_t>(ids.size()); }
  int64_t channels() const { return images.size(1); }
  int64_t image_size() const { return images.size(2); }

  Dataset select(const std::vector<int64_t>& rows) const;

  /// Rows of this split. Throws UserError that says which splits there are, when it would be empty.
  Dataset only(Split split) const;

  bool has(Split split) const;

  /// What a command's `--split WORD` means here: a split, or none for all images. "all"; "auto" takes PublicTest,
  /// else PrivateTest, else all; or a split's name. Throws UserError on another word.
  std::optional<Split> resolve_split(const std::string& word) const;

  /// Class k becomes class mapping[k] of `target`; where that is -1, its images are left out and votes for it too.
  Dataset recoded(const LabelSet& target, const std::vector<int64_t>& mapping) const;

  /// The same images with label numbers in the order of `target`. Throws UserError when a class with images is unknown
  /// to `target`.
  Dataset relabelled(const LabelSet& target) const;

  /// Rows whose pixels do not occur among `other`'s images (byte-for-byte).
  std::vector<int64_t> rows_not_in(const Dataset& other) const;

  std::string digest() const;  ///< SHA-256 over images, labels and class names, and votes where there are any
};

/// Pixels as the program uses them: float32 (N,C,H,W) in [0,1] of the given rows.
torch::Tensor to_float(const torch::Tensor& uint8_images);

/// The stored image nearest to pixels in [0,1]: uint8, same shape.
torch::Tensor to_8bit(const torch::Tensor& pixels);

}  // namespace fercli
