#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "core/observer.hpp"
#include "core/registry.hpp"
#include "data/dataset.hpp"

namespace fercli {

/// What the caller wants from a data source.
struct ReadOptions {
  int64_t size = 48;                  ///< images are resized to size×size
  int64_t channels = 1;               ///< 1: grey, 3: RGB
  bool skip_bad = false;              ///< leave bad entries out and count them, instead of stopping at the first
  std::optional<LabelSet> numbering;  ///< what label numbers in the source mean; unset: what is usual for the format
  bool drawn_size = false;            ///< drawn faces have the size that their source names (size=), if it does
  std::string format = {};            ///< name of the reader; "": the one that recognises the source
  Observer* observer = &Observer::none();  ///< follows the reading
  bool native = false;  ///< instead of size and channels: as stored (in the first image where they differ)
};

/// One way of storing a data set. Of the readers that recognise a source the one of highest priority reads it.
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

/// Reads a CSV file, a folder, a packed file or "synthetic:…". Throws UserError: nothing there, unknown format, or the
/// first bad entry with its file and line.
Dataset read_dataset(const std::string& source, const ReadOptions& options = {});

/// The class a label number of a source means: numbers count from 1 when `numbering` is RAF-DB's, else from 0. Empty
/// when the number is out of range.
std::optional<std::string> numbered_class(const LabelSet& numbering, int64_t number);

/// Copies an image (C,H,W) of any size into `target` (C,S,S), resized where needed.
void put_image(const torch::Tensor& image, torch::Tensor target);

}  // namespace fercli
