#include "commands/predict/readings_report.hpp"

#include <fmt/format.h>

#include "core/counted.hpp"
#include "core/escape.hpp"
#include "core/json_text.hpp"
#include "core/text.hpp"

namespace fercli {

namespace {

/// "people.jpg", of a video with the frame.
std::string name_of_reading(const Reading& reading) {
  const auto frame = reading.frame ? fmt::format(", frame {} at {:.2f} s", *reading.frame, reading.time) : "";
  return reading.file + frame;
}

std::string corner_and_size(const Box& box) {
  return fmt::format("{:.0f},{:.0f} {:.0f}x{:.0f}", box.x, box.y, box.width, box.height);
}

}  // namespace

ReadingsReport::ReadingsReport(const ShowOptions& show, const LabelSet& classes, const Overlay& overlay)
    : show_(show), classes_(classes), overlay_(overlay) {
  if (csv()) print_text("{}", csv_header(predict_columns(), classes_));
}

void ReadingsReport::add(const Reading& reading) {
  ++pictures_;
  faces_ += static_cast<int64_t>(reading.faces.size());
  if (show_.json) {
    print_text("{}\n{}", pictures_ == 1 ? "[" : ",", compact_json(to_json(reading)));
  } else if (csv()) {
    print_csv(reading);
  } else if (!show_.text()) {
    add_rows(reading);
  } else if (show_.quiet) {
    print_line(reading);
  } else {
    print_faces(reading);
  }
}

void ReadingsReport::finish() {
  if (show_.json) print_text("{}]\n", pictures_ == 0 ? "[" : "\n");
  if (show_.json || csv()) return;
  if (!show_.text()) show_.print({table_});
  if (show_.text() && !show_.quiet && pictures_ > 1) {
    print_text("{}, {}\n", counted(pictures_, "picture"), counted(faces_, "face"));
  }
}

nlohmann::ordered_json ReadingsReport::to_json(const Reading& reading) const {
  nlohmann::ordered_json json{{"file", reading.file}};
  if (reading.frame) json.update({{"frame", *reading.frame}, {"time", reading.time}});
  json["faces"] = nlohmann::ordered_json::array();
  for (const auto& face : reading.faces) {
    nlohmann::ordered_json entry{
        {"face", face.number}, {"emotion", classes_.name(face.top())}, {"confidence", face.confidence()}};
    entry.update(json_of_face(face, classes_));
    json["faces"].push_back(entry);
  }
  return json;
}

void ReadingsReport::print_csv(const Reading& reading) const {
  const std::string place =
      csv_field(reading.file) + "," + (reading.frame ? fmt::format("{},{:.3f}", *reading.frame, reading.time) : ",");
  const auto line = [&](const std::string& number, const SeenFace* face) {
    print_text("{},{},{},{}\n", place, number, csv_of_reading(face, classes_), csv_of_head(face, classes_));
  };
  if (reading.faces.empty()) line("", nullptr);
  for (const auto& face : reading.faces) line(std::to_string(face.number), &face);
}

std::string ReadingsReport::verdict(const SeenFace& face) const {
  return fmt::format("{} {:.1f} %", overlay_.class_name(face.top()), 100 * face.confidence());
}

void ReadingsReport::print_line(const Reading& reading) const {
  std::vector<std::string> verdicts;
  for (const auto& face : reading.faces) verdicts.push_back(verdict(face));
  print_text("{}: {}\n", printable(name_of_reading(reading)),
             verdicts.empty() ? overlay_.say("no face found", "aucun visage") : join(verdicts, ", "));
}

void ReadingsReport::add_rows(const Reading& reading) {
  for (const auto& face : reading.faces) {
    table_.rows.push_back({name_of_reading(reading), face.number, overlay_.class_name(face.top()),
                           figure_cell(fmt::format("{:.1f}", 100 * face.confidence())), corner_and_size(face.box)});
  }
}

void ReadingsReport::print_faces(const Reading& reading) const {
  print_text("{}\n", printable(name_of_reading(reading)));
  if (reading.faces.empty()) print_text("  {}\n", overlay_.say("no face found", "aucun visage"));
  for (const auto& face : reading.faces) {
    const std::string number = reading.frame ? fmt::format("#{} ", face.number) : "";
    print_text("  {}{:<18}  box {} ", number, verdict(face), corner_and_size(face.box));
    for (size_t k = 0; k < face.probabilities.size(); ++k) {
      print_text("  {} {:.1f}", overlay_.class_name(static_cast<int64_t>(k)), 100 * face.probabilities[k]);
    }
    print_text("\n");
  }
}

}  // namespace fercli
