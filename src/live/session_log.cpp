#include "live/session_log.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/escape.hpp"
#include "core/files.hpp"
#include "core/json_text.hpp"
#include "core/standard_output.hpp"
#include "eval/result.hpp"
#include "live/face_columns.hpp"
#include "record/document_kind.hpp"
#include "record/shape.hpp"

namespace fercli {

namespace {

constexpr const char* kUncertain = "uncertain";

std::string label_name(const std::optional<int64_t>& label, const LabelSet& classes) {
  return label ? classes.name(*label) : std::string(kUncertain);
}

double rounded(double value, double steps) {
  return std::round(value * steps) / steps;
}

SeenFace seen_face(const LiveFace& face) {
  return {face.id, face.reading.box, face.reading.probabilities, face.score, face.pose};
}

nlohmann::json line_schema() {
  using namespace shape;
  const json attack = object({{"attacked", described(flag(), "false where the goal does not concern this face")},
                              {"success", flag()},
                              {"emotion", described(text(), "under attack")},
                              {"confidence", share()},
                              {"linf_255", described(whole(), "largest change of a pixel, in levels of 255")}});
  const json face = object(joined({{"track", described(whole(), "the same for one face over time")},
                                   {"emotion", described(text(), "in this frame")},
                                   {"smoothed", described(text(), "over time; uncertain where no class leads")}},
                                  always_of_face()),
                           joined(sometimes_of_face(), {{"attack", attack}}));
  return object({{"time", described(number(), "seconds, the frame's own time stamp in the video")},
                 {"frame", whole()},
                 {"faces", list(face)},
                 {"ms", described(number(), "that the frame took")}});
}

const Register<DocumentKind> line_document{{"session-line", "a line of live's --jsonl: one frame", line_schema}};

}  // namespace

SessionLog::SessionLog(const std::string& path, LogFormat format, LabelSet classes)
    : format_(format), classes_(std::move(classes)) {
  if (path != "-") {
    make_folder(std::filesystem::path(path).parent_path());
    file_.emplace(path);
  }
  if (format_ != LogFormat::Csv) return;
  write(csv_header(session_columns(), classes_));
}

void SessionLog::write(const std::string& lines) {
  if (file_) {
    file_->write(lines);
    file_->flush();
  } else {
    print_out(lines);
  }
}

void SessionLog::add(const AnalysedFrame& frame) {
  write(format_ == LogFormat::Csv ? csv_lines(frame) : json_line(frame));
}

void SessionLog::close() {
  if (file_) file_->close();
}

std::string SessionLog::csv_lines(const AnalysedFrame& frame) const {
  const auto line = [&](const std::string& track, const std::string& label, const SeenFace* face) {
    return fmt::format("{:.3f},{},{},{},{},{:.1f},{}\n", frame.frame.time, frame.frame.number, track,
                       csv_of_reading(face, classes_), csv_field(label), frame.latency_ms, csv_of_head(face, classes_));
  };
  if (frame.faces.empty()) return line("", "", nullptr);
  std::string lines;
  for (const auto& face : frame.faces) {
    const SeenFace seen = seen_face(face);
    lines += line(std::to_string(face.id), label_name(face.label, classes_), &seen);
  }
  return lines;
}

std::string SessionLog::json_line(const AnalysedFrame& frame) const {
  nlohmann::ordered_json line{{"time", rounded(frame.frame.time, 1e3)},
                              {"frame", frame.frame.number},
                              {"faces", nlohmann::ordered_json::array()}};
  for (size_t i = 0; i < frame.faces.size(); ++i) {
    const auto& face = frame.faces[i];
    nlohmann::ordered_json entry{{"track", face.id}, {"emotion", classes_.name(face.reading.top())}};
    entry.update(json_of_face(seen_face(face), classes_));
    for (auto& [name, value] : entry["probabilities"].items()) value = rounded(value.get<double>(), 1e6);
    entry["smoothed"] = label_name(face.label, classes_);
    if (frame.attacked) {
      const auto& perturbed = frame.perturbed[i];
      entry["attack"] = {{"attacked", perturbed.concerned},
                         {"success", perturbed.success},
                         {"emotion", classes_.name(top_of(perturbed.after))},
                         {"confidence", rounded(perturbed.after[static_cast<size_t>(top_of(perturbed.after))], 1e6)},
                         {"linf_255", perturbed.largest_change}};
    }
    line["faces"].push_back(entry);
  }
  line["ms"] = rounded(frame.latency_ms, 10);
  return for_terminal(compact_json(line)) + "\n";
}

}  // namespace fercli
