#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "data/formats/reader.hpp"

namespace fercli {

/// A part of a picture, in pixels.
struct PixelBox {
  double x, y, width, height;
};

/// One image of a data set that is kept in files.
struct ImageFile {
  std::filesystem::path path;
  std::string id;
  int64_t label = -1;
  Split split = Split::None;
  std::optional<PixelBox> box = {};  ///< where the face is; else everywhere
};

/// The problems found on the way: the first ends the reading (UserError), unless they are to be skipped.
class Problems {
 public:
  explicit Problems(bool skip) : skip_(skip) {}
  void report(const std::string& message);
  int64_t count() const { return count_; }

 private:
  bool skip_;
  int64_t count_ = 0;
};

/// Decodes all files in parallel. Of a box the square around its middle is read, as far as it lies in the picture.
/// Throws UserError when not one can be read, and as `problems` does.
Dataset read_image_files(const std::string& name, const std::vector<ImageFile>& files, const LabelSet& classes,
                         ReadOptions options, Problems& problems);

}  // namespace fercli
