#pragma once

#include <optional>
#include <string>

#include "core/files.hpp"
#include "data/label_set.hpp"
#include "live/pipeline.hpp"

namespace fercli {

enum class LogFormat { Csv, JsonLines };

/// What was seen, frame by frame, one line per face (CSV: `session_columns`) or per frame (JSON lines). A frame without
/// faces is a CSV line with empty fields. Lines are complete when the next frame is begun, so that a killed
/// session leaves a readable file.
class SessionLog {
 public:
  /// `path` "-" is standard output. Throws UserError when the file cannot be written.
  SessionLog(const std::string& path, LogFormat format, LabelSet classes);

  /// Throws when the lines cannot be written, as `throw_write_error`.
  void add(const AnalysedFrame& frame);

  void close();  ///< throws likewise: the last lines may fail as late as here

 private:
  std::string csv_lines(const AnalysedFrame& frame) const;
  std::string json_line(const AnalysedFrame& frame) const;
  void write(const std::string& lines);

  std::optional<OutputFile> file_;  ///< none: standard output
  LogFormat format_;
  LabelSet classes_;
};

}  // namespace fercli
