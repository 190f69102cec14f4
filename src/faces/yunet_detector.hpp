#pragma once

#include <filesystem>
#include <memory>

#include "faces/face_detector.hpp"

namespace fercli {

/// YuNet (Wu et al., "YuNet: a tiny millisecond-level face detector", Machine Intelligence Research 2023). Files of
/// both layouts are taken: that of 2023 (face_detection_yunet_2023mar.onnx and later) with any OpenCV, that of 2022
/// with an OpenCV before 4.8. Its eyes and mouth give the boxes. `threshold`: the score from which a find is a face.
/// Throws UserError: no such network, a threshold outside (0,1].
std::unique_ptr<FaceDetector> make_yunet_detector(const std::filesystem::path& file, std::optional<double> threshold);

}  // namespace fercli
