#pragma once

#include <string>

#include "commands/options/show_options.hpp"
#include "commands/predict/reading.hpp"
#include "draw/overlay.hpp"

namespace fercli {

/// Prints readings on stdout as they come: for people, as a table, CSV or JSON.
class ReadingsReport {
 public:
  ReadingsReport(const ShowOptions& show, const LabelSet& classes, const Overlay& overlay);

  void add(const Reading& reading);
  void finish();

 private:
  bool csv() const { return show_.format == "csv" && !show_.json; }
  nlohmann::ordered_json to_json(const Reading& reading) const;
  void print_csv(const Reading& reading) const;
  void print_line(const Reading& reading) const;
  void print_faces(const Reading& reading) const;
  void add_rows(const Reading& reading);
  std::string verdict(const SeenFace& face) const;

  const ShowOptions& show_;
  const LabelSet& classes_;
  const Overlay& overlay_;
  int64_t pictures_ = 0, faces_ = 0;
  PrintedTable table_{"Faces", {"file", "face", "emotion", "confidence (%)", "box"}, {}};
};

}  // namespace fercli
