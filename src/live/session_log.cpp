#include "live/session_log.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/escape.hpp"
#include "core/files.hpp"
#include "core/json_text.hpp"
#include "core/standard_output.hpp"
#include "eval/result.hpp"
#include "record/box_shape.hpp"
#include "record/document_kind.hpp"

namespace fercli {

namespace {

constexpr const char* kUncertain = "uncertain";

std::string label_name(const std::optional<int64_t>& label, const LabelSet& classes) {
  return label ? classes.name(*label) : std::string(kUncertain);
}

double rounded(double value, double steps) {
  return std::round(value * steps) / steps;
}

nlohmann::json line_schema() {
  using namespace shape;
  const json attack = object({{"attacked", described(flag(), "false where the goal does not concern this face")},
                              {"success", flag()},
                              {"emotion", described(text(), "under attack")},
                              {"confidence", share()},
                              {"linf_255", described(whole(), "largest change of a pixel, in levels of 255")}});
  const json face = object({{"track", described(whole(), "the same for one face over time")},
                            {"box", Shape<Box>::schema()},
                            {"emotion", described(text(), "in this frame")},
                            {"probabilities", map_of(share())},
                            {"smoothed", described(text(), "over time; uncertain where no class leads")}},
                           {{"attack", attack}});
  return object({{"time", described(number(), "seconds")},
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
  std::string header = "time,frame,track,x,y,width,height,emotion,confidence";
  for (const auto& name : classes_.names()) header += "," + csv_field("p_" + name);
  write(header + ",smoothed,ms\n");
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
  const std::string when = fmt::format("{:.3f},{}", frame.frame.time, frame.frame.number);
  std::string lines;
  for (const auto& face : frame.faces) {
    const auto& reading = face.reading;
    lines += fmt::format("{},{},{:.0f},{:.0f},{:.0f},{:.0f},{},{:.4f}", when, face.id, reading.box.x, reading.box.y,
                         reading.box.width, reading.box.height, csv_field(classes_.name(reading.top())),
                         reading.confidence());
    for (const double probability : reading.probabilities) lines += fmt::format(",{:.4f}", probability);
    lines += fmt::format(",{},{:.1f}\n", csv_field(label_name(face.label, classes_)), frame.latency_ms);
  }
  if (!frame.faces.empty()) return lines;
  return fmt::format("{}{},{:.1f}\n", when, std::string(8 + classes_.names().size(), ','), frame.latency_ms);
}

std::string SessionLog::json_line(const AnalysedFrame& frame) const {
  nlohmann::ordered_json line{{"time", rounded(frame.frame.time, 1e3)},
                              {"frame", frame.frame.number},
                              {"faces", nlohmann::ordered_json::array()}};
  for (size_t i = 0; i < frame.faces.size(); ++i) {
    const auto& face = frame.faces[i];
    nlohmann::ordered_json probabilities;
    for (size_t k = 0; k < face.reading.probabilities.size(); ++k) {
      probabilities[classes_.names()[k]] = rounded(face.reading.probabilities[k], 1e6);
    }
    nlohmann::ordered_json entry{
        {"track", face.id},
        {"box", Shape<Box>::write(face.reading.box)},
        {"emotion", classes_.name(face.reading.top())},
        {"probabilities", probabilities},
        {"smoothed", label_name(face.label, classes_)},
    };
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
