#pragma once

#include <string>

#include "faces/face_detector.hpp"
#include "live/video/sampling.hpp"

namespace fercli {

class OptionSet;

/// `--detector`, `--detector-threshold`, `--min-face`, `--max-faces`: how faces are found.
struct FaceOptions {
  std::string detector = "haar";
  DetectorSettings settings;

  /// `smallest`: what holds without --min-face.
  void declare(OptionSet& options, const std::string& detector_help, const std::string& smallest);
  void take(const OptionSet& options);  ///< after the options are parsed

 private:
  double threshold_ = 0;
};

/// `--every`, `--from`, `--to`: what of a video counts.
struct VideoOptions {
  Sampling every;
  VideoRange range;

  void declare(OptionSet& options, const std::string& every_help);
  void take(const OptionSet& options);  ///< likewise; throws UserError

 private:
  std::string every_, from_, to_;
};

}  // namespace fercli
