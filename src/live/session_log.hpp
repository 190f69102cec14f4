#pragma once

#include <cstdio>
#include <memory>
#include <string>

#include "data/label_set.hpp"
#include "live/pipeline.hpp"

namespace fercli {

enum class LogFormat { Csv, JsonLines };

/// What was seen, frame by frame, one line per face (CSV) or per frame (JSON lines): time, frame, track, box, emotion
/// and probabilities of this frame alone, smoothed label, milliseconds from the frame's arrival to its labels. A frame
/// without faces is a CSV line with empty fields. Lines are complete when the next frame is begun, so that a killed
/// session leaves a readable file.
class SessionLog {
 public:
  /// `path` "-" is standard output. Throws UserError when the file cannot be written.
  SessionLog(const std::string& path, LogFormat format, LabelSet classes);
  ~SessionLog();
  SessionLog(const SessionLog&) = delete;
  SessionLog& operator=(const SessionLog&) = delete;

  void add(const AnalysedFrame& frame);

 private:
  void add_csv(const AnalysedFrame& frame);
  void add_json(const AnalysedFrame& frame);

  std::string path_;
  std::FILE* file_;
  LogFormat format_;
  LabelSet classes_;
};

}  // namespace fercli
