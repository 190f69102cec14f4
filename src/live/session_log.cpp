#include "live/session_log.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/escape.hpp"
#include "core/files.hpp"
#include "core/json_text.hpp"
#include "eval/result.hpp"

namespace fercli {

namespace {

constexpr const char* kUncertain = "uncertain";

std::FILE* open_log(const std::string& path) {
  if (path == "-") return stdout;
  const auto folder = std::filesystem::path(path).parent_path();
  if (!folder.empty()) make_folder(folder);
  std::FILE* file = std::fopen(path.c_str(), "w");
  if (file == nullptr) throw UserError(fmt::format("{}: cannot be written", path));
  return file;
}

std::string label_name(const std::optional<int64_t>& label, const LabelSet& classes) {
  return label ? classes.name(*label) : std::string(kUncertain);
}

double rounded(double value, double steps) {
  return std::round(value * steps) / steps;
}

}  // namespace

SessionLog::SessionLog(const std::string& path, LogFormat format, LabelSet classes)
    : path_(path), file_(open_log(path)), format_(format), classes_(std::move(classes)) {
  if (format_ != LogFormat::Csv) return;
  fmt::print(file_, "time,frame,track,x,y,width,height,emotion,confidence");
  for (const auto& name : classes_.names()) fmt::print(file_, ",p_{}", csv_field(name));
  fmt::print(file_, ",smoothed,ms\n");
}

SessionLog::~SessionLog() {
  if (file_ != stdout) std::fclose(file_);
}

void SessionLog::add(const AnalysedFrame& frame) {
  if (format_ == LogFormat::Csv) {
    add_csv(frame);
  } else {
    add_json(frame);
  }
  if (std::fflush(file_) != 0) throw RunError(fmt::format("{}: cannot be written ({})", path_, std::strerror(errno)));
}

void SessionLog::add_csv(const AnalysedFrame& frame) {
  const std::string when = fmt::format("{:.3f},{}", frame.frame.time, frame.frame.number);
  for (const auto& face : frame.faces) {
    const auto& reading = face.reading;
    fmt::print(file_, "{},{},{:.0f},{:.0f},{:.0f},{:.0f},{},{:.4f}", when, face.id, reading.box.x, reading.box.y,
               reading.box.width, reading.box.height, csv_field(classes_.name(reading.top())), reading.confidence());
    for (const double probability : reading.probabilities) fmt::print(file_, ",{:.4f}", probability);
    fmt::print(file_, ",{},{:.1f}\n", csv_field(label_name(face.label, classes_)), frame.latency_ms);
  }
  if (!frame.faces.empty()) return;
  fmt::print(file_, "{}{},{:.1f}\n", when, std::string(8 + classes_.names().size(), ','), frame.latency_ms);
}

void SessionLog::add_json(const AnalysedFrame& frame) {
  nlohmann::ordered_json line{{"time", rounded(frame.frame.time, 1e3)},
                              {"frame", frame.frame.number},
                              {"faces", nlohmann::ordered_json::array()}};
  for (size_t i = 0; i < frame.faces.size(); ++i) {
    const auto& face = frame.faces[i];
    const auto& box = face.reading.box;
    nlohmann::ordered_json probabilities;
    for (size_t k = 0; k < face.reading.probabilities.size(); ++k) {
      probabilities[classes_.names()[k]] = rounded(face.reading.probabilities[k], 1e6);
    }
    nlohmann::ordered_json entry{
        {"track", face.id},
        {"box",
         {{"x", std::lround(box.x)},
          {"y", std::lround(box.y)},
          {"w", std::lround(box.width)},
          {"h", std::lround(box.height)}}},
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
  fmt::print(file_, "{}\n", for_terminal(compact_json(line)));
}

}  // namespace fercli
