#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "core/observer.hpp"
#include "core/registry.hpp"
#include "data/class_rules.hpp"

namespace fercli {

/// What the caller wants from a data source.
struct ReadOptions {
  int64_t size = 48;                       ///< images are resized to size×size
  int64_t channels = 1;                    ///< 1: grey, 3: RGB
  bool skip_bad = false;                   ///< leave bad entries out and count them, instead of stopping at the first
  ClassRules classes = {};                 ///< what labels in the source mean, and which classes come of them
  std::string votes = {};                  ///< a file of votes to join (`with_votes`); "": none
  bool drawn_size = false;                 ///< drawn faces have the size that their source names (size=), if it does
  std::string format = {};                 ///< name of the reader; "": the one that recognises the source
  Observer* observer = &Observer::none();  ///< follows the reading
  bool native = false;  ///< instead of size and channels: as stored (in the first image where they differ)
};

/// One way of storing a data set. What it reads has its images' classes as the source names them, all that it
/// recognises (ClassRules::recognised) where the source may hold any; `read_dataset` does the rest. Of the readers that
/// recognise a source the one of highest priority reads it.
struct DatasetReader {
  static constexpr const char* kKind = "data format";
  std::string name;  ///< "csv", "drawn", "folder", "packed"
  std::string summary;
  bool (*recognises)(const std::string& source);
  Dataset (*read)(const std::string& source, const ReadOptions& options);
  int priority = 0;
  /// A source of 14 images for tests, which may lie in this folder; null where the format has a writer that makes one.
  std::string (*sample)(const std::filesystem::path& folder) = nullptr;
};

/// Reads a CSV file, a folder, a packed file or "synthetic:…", joins votes and applies the rules about classes
/// (`with_votes`, `settled`). Throws UserError: nothing there, unknown format, or the first bad entry with its file and
/// line.
Dataset read_dataset(const std::string& source, const ReadOptions& options = {});

/// The class a label number of a source means: numbers count from 1 when `numbering` is RAF-DB's, else from 0. Empty
/// when the number is out of range.
std::optional<std::string> numbered_class(const LabelSet& numbering, int64_t number);

/// The number in a word of one to three digits; empty for other words.
std::optional<int64_t> label_number(std::string_view word);

/// How a source's labels, names or numbers, become the class numbers of the data set that is read.
class LabelReading {
 public:
  /// `usual`: what numbers mean without --data-labels.
  LabelReading(const ClassRules& rules, const LabelSet& usual);

  /// Class number; -1 for an empty word. Throws std::invalid_argument with what is wrong.
  int64_t read(std::string_view word);

  const LabelSet& classes() const { return classes_; }
  bool has_numbers() const { return has_numbers_; }  ///< in place of names, so far

 private:
  const ClassRules rules_;
  LabelSet numbering_, classes_;
  bool has_numbers_ = false;
};

/// Copies an image (C,H,W) of any size into `target` (C,S,S), resized where needed.
void put_image(const torch::Tensor& image, torch::Tensor target);

}  // namespace fercli
