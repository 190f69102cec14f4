#pragma once

#include <array>
#include <filesystem>
#include <limits>
#include <memory>
#include <optional>
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

/// What counts as a face, and how many are kept.
struct DetectorSettings {
  SmallestFace smallest = {};
  std::optional<double> threshold = {};  ///< YuNet: score, in (0,1]; a cascade: neighbouring hits, whole, from 1
  int64_t most = 0;                      ///< the largest so many of a picture; 0: all
};

/// Five points of a face, (x,y) in the picture's pixels, as they lie in the picture from left to right: the eyes, the
/// nose, the corners of the mouth.
struct FacePoints {
  std::array<double, 2> left_eye, right_eye, nose, left_mouth, right_mouth;
};

/// A face that was found.
struct Detection {
  Box box;                                                  ///< from the brows' top to the chin
  double score = std::numeric_limits<double>::quiet_NaN();  ///< YuNet's, in (0,1]; NaN: the detector gives none
  std::optional<FacePoints> points = {};
  Box raw = {};  ///< as the detector itself draws it
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

  /// Faces in the picture's pixels, from left to right.
  virtual std::vector<Detection> detect(const Picture& picture, const FaceSearch& search) = 0;

  /// Those in the whole picture, down to the smallest face that the detector was made for, and no more than its
  /// `most` largest.
  std::vector<Detection> detect_all(const Picture& picture) {
    return largest(detect(picture, everywhere(picture)), most());
  }
  FaceSearch everywhere(const Picture& picture) const { return FaceSearch::everywhere(picture, settings_.smallest); }

  std::vector<Box> find(const Picture& picture, const FaceSearch& search) { return boxes_of(detect(picture, search)); }
  std::vector<Box> find_all(const Picture& picture) { return boxes_of(detect_all(picture)); }

  int64_t most() const { return settings_.most; }

  /// The largest `most` of these, in their order; 0: all.
  static std::vector<Detection> largest(std::vector<Detection> faces, int64_t most);

  /// Whether a search of a small region is much cheaper than one of the whole picture.
  virtual bool cheap_in_regions() const = 0;

 private:
  friend std::unique_ptr<FaceDetector> make_face_detector(const std::string& word, const DetectorSettings& settings);
  static std::vector<Box> boxes_of(const std::vector<Detection>& faces);
  DetectorSettings settings_;
};

/// `word`: "haar", the cascade that ships with OpenCV (Viola and Jones 2001; Lienhart and Maydt 2002); a cascade file
/// (.xml); or a YuNet network (.onnx; Wu et al., "YuNet: a tiny millisecond-level face detector", 2023). Throws
/// UserError: no such file, not a detector, a threshold that it cannot have; for "haar" it names the package that
/// brings the cascades.
std::unique_ptr<FaceDetector> make_face_detector(const std::string& word, const DetectorSettings& settings = {});

/// A cascade that ships with OpenCV, by its file's name; empty where it is not installed.
std::filesystem::path find_cascade(const std::string& name);

}  // namespace fercli
