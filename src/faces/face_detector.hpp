#pragma once

#include <memory>
#include <string>
#include <vector>

#include "faces/face_crop.hpp"
#include "faces/picture.hpp"

namespace fercli {

/// The smallest face to be found: the side of its box.
struct SmallestFace {
  double pixels = 0;        ///< 0: `share` says it
  double share = 1.0 / 40;  ///< of the picture's shorter side, but no less than 24 pixels
};

/// Where in a picture to look for faces, and how large they may be (side of the box in pixels).
struct FaceSearch {
  Box region;
  double smallest, largest;

  /// The whole picture.
  static FaceSearch everywhere(const Picture& picture, const SmallestFace& smallest = {});
};

/// Finds faces. Not for use by several threads at once.
class FaceDetector {
 public:
  virtual ~FaceDetector() = default;

  virtual std::string name() const = 0;  ///< "haar", "yunet"

  /// Boxes from the brows' top to the chin, in the picture's pixels, from left to right.
  virtual std::vector<Box> find(const Picture& picture, const FaceSearch& search) = 0;

  /// Those in the whole picture, down to the smallest face that the detector was made for.
  std::vector<Box> find_all(const Picture& picture) { return find(picture, everywhere(picture)); }
  FaceSearch everywhere(const Picture& picture) const { return FaceSearch::everywhere(picture, smallest_); }

  /// Whether a search of a small region is much cheaper than one of the whole picture.
  virtual bool cheap_in_regions() const = 0;

 private:
  friend std::unique_ptr<FaceDetector> make_face_detector(const std::string& word, const SmallestFace& smallest);
  SmallestFace smallest_;
};

/// `word`: "haar", the cascade that ships with OpenCV (Viola and Jones 2001; Lienhart and Maydt 2002); a cascade file
/// (.xml); or a YuNet network (.onnx; Wu et al., "YuNet: a tiny millisecond-level face detector", 2023). Throws
/// UserError: no such file, not a detector; for "haar" it names the package that brings the cascades.
std::unique_ptr<FaceDetector> make_face_detector(const std::string& word, const SmallestFace& smallest = {});

}  // namespace fercli
