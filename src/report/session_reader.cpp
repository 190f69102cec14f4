#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/build_info.hpp"
#include "core/error.hpp"
#include "core/parameters.hpp"
#include "core/text.hpp"
#include "core/untrusted.hpp"
#include "data/class_limit.hpp"
#include "data/delimited.hpp"
#include "record/document_kind.hpp"
#include "report/session.hpp"
#include "report/session_record.hpp"

namespace fercli {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kUncertainLabel = "uncertain";
/// Two labels that lie so far apart are a change; after a longer absence nobody knows (seconds).
constexpr double kChangeGap = 1;
constexpr double kSameMoment = 1e-6;
// What figures of a session may be; times are seconds, angles degrees.
constexpr Range kTimes{-1e9, 1e9}, kCounts{0, 1e9}, kShareRange{0, 1}, kAffects{-1, 1}, kAngles{-180, 180};

/// Mean of what is known.
struct RunningMean {
  double sum = 0;
  int64_t n = 0;

  void add(const std::optional<double>& value) {
    if (!value) return;
    sum += *value;
    ++n;
  }
  double value() const { return n > 0 ? sum / static_cast<double>(n) : kNaN; }
  double to_a_tenth() const { return std::round(10 * value()) / 10; }
};

struct SessionFace {
  int64_t number = 0;
  std::string emotion;
  std::optional<double> confidence, valence, arousal, roll, yaw, pitch;
};

struct SessionFrame {
  std::string video;
  int64_t number = 0;
  double time = 0;
  std::vector<SessionFace> faces;
};

/// What is known of a person so far, and what its means are made of.
struct PersonSeen {
  SessionPerson record;
  RunningMean confidence, valence, arousal, roll, yaw, pitch;
  std::string certain;       ///< the last label that was one …
  double certain_until = 0;  ///< … and until when
};

/// Takes frame after frame. A frame lasts until the next one of its video, and the last as long as they do on average.
class SessionTally {
 public:
  /// A frame that a row of `file` begins.
  void add(SessionFrame frame, const std::string& file) {
    if (pending_ && pending_->video == frame.video && frame.number < pending_->number) {
      throw UserError(
          fmt::format("{}: frame {} comes after frame {}; a session has its rows in the order of the frames",
                      frame.video, frame.number, pending_->number));
    }
    if (pending_ && pending_->video == frame.video && frame.time >= pending_->time) {
      settle(frame.time - pending_->time);
    } else {
      end_video();
      refuse_second(frame, file);
    }
    if (!first_) first_ = frame.time;
    ++of_video_;
    pending_ = std::move(frame);
  }

  void end_video() {
    if (!pending_) return;
    const double stood = pending_->time - *first_;
    settle(of_video_ > 1 ? stood / static_cast<double>(of_video_ - 1) : 0);
    ended_[pending_->video] = pending_->number;
    pending_.reset();
    first_.reset();
    of_video_ = 0;
  }

  /// The classes of a file.
  void note_classes(const std::vector<std::string>& names) {
    auto& classes = report_.classes;
    for (const auto& name : names) {
      if (std::find(classes.begin(), classes.end(), name) != classes.end()) continue;
      if (classes.size() == kMostClasses) throw BadRow(fmt::format("more than {} classes are named", kMostClasses));
      classes.push_back(name);
    }
  }

  int64_t frames() const { return report_.frames; }
  SessionReport report(const std::string& labels) const;

 private:
  void refuse_second(const SessionFrame& frame, const std::string& file) const;
  void settle(double seconds);
  void settle(PersonSeen& seen, const SessionFace& face, double time, double seconds);

  SessionReport report_;  ///< without its people
  std::map<std::pair<std::string, int64_t>, PersonSeen> people_;
  std::map<std::string, int64_t> ended_;  ///< video -> its last frame
  std::optional<SessionFrame> pending_;
  std::optional<double> first_;  ///< time of the video's first frame
  int64_t of_video_ = 0;         ///< its frames
};

/// People are known by their video and number: of two videos of one name they would be one.
void SessionTally::refuse_second(const SessionFrame& frame, const std::string& file) const {
  const auto ended = ended_.find(frame.video);
  if (ended == ended_.end() || frame.number > ended->second) return;
  throw UserError(
      fmt::format("{}: the video {} has ended before, and begins again with frame {}; give each video once, under a "
                  "name of its own",
                  file, frame.video, frame.number));
}

void SessionTally::settle(double seconds) {
  ++report_.frames;
  report_.frames_with_faces += pending_->faces.empty() ? 0 : 1;
  report_.seconds += seconds;
  auto& videos = report_.videos;
  if (videos.empty() || videos.back() != pending_->video) videos.push_back(pending_->video);
  for (const auto& face : pending_->faces) {
    settle(people_[{pending_->video, face.number}], face, pending_->time, seconds);
  }
}

void add_to(LabelShares& shares, const std::string& emotion, int64_t frames, double seconds) {
  shares[emotion].frames += frames;
  shares[emotion].seconds += seconds;
}

void SessionTally::settle(PersonSeen& seen, const SessionFace& face, double time, double seconds) {
  SessionPerson& person = seen.record;
  if (person.frames++ == 0) person.first = time;
  person.last = time + seconds;
  person.seconds += seconds;
  add_to(person.shares, face.emotion, 1, seconds);
  auto& stretches = person.stretches;
  const bool goes_on =
      !stretches.empty() && stretches.back().emotion == face.emotion && time - stretches.back().to <= kSameMoment;
  if (!goes_on) stretches.push_back({time, time, face.emotion});
  stretches.back().to = time + seconds;
  seen.confidence.add(face.confidence);
  seen.valence.add(face.valence);
  seen.arousal.add(face.arousal);
  seen.roll.add(face.roll);
  seen.yaw.add(face.yaw);
  seen.pitch.add(face.pitch);
  if (face.emotion == kUncertainLabel) return;
  if (!seen.certain.empty() && seen.certain != face.emotion && time - seen.certain_until <= kChangeGap) {
    ++person.changes;
    ++report_.transitions.counts[seen.certain][face.emotion];
  }
  seen.certain = face.emotion;
  seen.certain_until = time + seconds;
}

void fill_shares(LabelShares& shares, double seconds, int64_t frames) {
  for (auto& [emotion, share] : shares) {
    share.share = seconds > 0 ? share.seconds / seconds
                              : static_cast<double>(share.frames) / static_cast<double>(std::max<int64_t>(1, frames));
  }
}

SessionPerson finished(const PersonSeen& seen, const std::string& video, int64_t number, bool several) {
  SessionPerson person = seen.record;
  person.name =
      several ? fmt::format("{} #{}", fs::path(video).filename().string(), number) : fmt::format("#{}", number);
  person.video = video;
  person.number = number;
  const auto most = std::max_element(person.shares.begin(), person.shares.end(), [](const auto& a, const auto& b) {
    return std::pair{a.second.seconds, a.second.frames} < std::pair{b.second.seconds, b.second.frames};
  });
  person.mostly = most->first;
  fill_shares(person.shares, person.seconds, person.frames);
  if (person.seconds > 0) person.changes_per_minute = static_cast<double>(person.changes) / (person.seconds / 60);
  person.mean_confidence = seen.confidence.value();
  person.derived = {seen.valence.value(), seen.arousal.value()};
  person.pose = {seen.roll.to_a_tenth(), seen.yaw.to_a_tenth(), seen.pitch.to_a_tenth()};
  return person;
}

SessionReport SessionTally::report(const std::string& labels) const {
  SessionReport report = report_;
  report.version = version();
  report.revision = git_revision();
  report.labels = labels;
  report.transitions.longest_gap = kChangeGap;
  Everybody& all = report.everybody;
  for (const auto& [who, seen] : people_) {
    report.people.push_back(finished(seen, who.first, who.second, report.videos.size() > 1));
    all.seconds += seen.record.seconds;
    all.frames += seen.record.frames;
    report.transitions.n += seen.record.changes;
    for (const auto& [emotion, share] : seen.record.shares) add_to(all.shares, emotion, share.frames, share.seconds);
  }
  fill_shares(all.shares, all.seconds, all.frames);
  std::stable_sort(report.people.begin(), report.people.end(),
                   [](const auto& a, const auto& b) { return a.seconds > b.seconds; });
  if (all.shares.count(kUncertainLabel) > 0) report.classes.emplace_back(kUncertainLabel);
  return report;
}

/// A figure of a session, from a table or from JSON.
double figure_in(const Range& range, const std::string& name, double value) {
  if (value >= range.low && value <= range.high) return value;
  throw BadRow(fmt::format("{} is {:g}, must be {}", name, value, describe(range)));
}

int64_t count_in(const std::string& name, double value) {
  if (value != std::floor(value)) throw BadRow(fmt::format("{} is {:g}, must be a whole number", name, value));
  return static_cast<int64_t>(figure_in(kCounts, name, value));
}

/// The columns of a CSV by their names.
class SessionColumns {
 public:
  SessionColumns(const std::string& path, const std::string& header) : path_(path) {
    std::vector<std::string> names;
    split_fields(header, ',', names);
    for (size_t i = 0; i < names.size(); ++i) places_.emplace(names[i], i);
    face_ = has("track") ? "track" : "face";
    for (const std::string& needed : {std::string("time"), std::string("frame"), face_, std::string("emotion")}) {
      if (has(needed)) continue;
      throw UserError(fmt::format("{}: is no session of predict --csv or live --csv: it has no column {}", path_,
                                  needed == "face" ? "face or track" : needed));
    }
  }

  bool has(const std::string& name) const { return places_.count(name) > 0; }
  size_t size() const { return places_.size(); }
  std::vector<std::string> classes() const {
    std::map<size_t, std::string> in_order;
    for (const auto& [name, place] : places_) {
      if (is_probability(name)) in_order[place] = name.substr(2);
    }
    std::vector<std::string> names;
    names.reserve(in_order.size());
    for (const auto& [place, name] : in_order) names.push_back(name);
    return names;
  }

  std::string text(const std::vector<std::string>& row, const std::string& name) const {
    const auto place = places_.find(name);
    return place == places_.end() ? "" : row.at(place->second);
  }

  std::optional<double> number(const std::vector<std::string>& row, const std::string& name, const Range& range) const {
    const std::string words = text(row, name);
    if (words.empty()) return {};
    return figure_in(range, name, parse_number(words));
  }

  /// None for a row of a picture.
  std::optional<SessionFrame> frame(const std::vector<std::string>& row) const {
    const auto time = number(row, "time", kTimes);
    if (!time) return {};
    SessionFrame frame{has("file") ? text(row, "file") : path_, count(row, "frame"), *time, {}};
    if (text(row, face_).empty()) return frame;
    const std::string smoothed = text(row, "smoothed");
    for (const auto& [name, place] : places_) {
      if (is_probability(name)) number(row, name, kShareRange);
    }
    frame.faces.push_back({count(row, face_), smoothed.empty() ? text(row, "emotion") : smoothed,
                           number(row, "confidence", kShareRange), number(row, "derived_valence", kAffects),
                           number(row, "derived_arousal", kAffects), number(row, "roll", kAngles),
                           number(row, "yaw", kAngles), number(row, "pitch", kAngles)});
    return frame;
  }

 private:
  static bool is_probability(const std::string& name) { return name.compare(0, 2, "p_") == 0; }

  int64_t count(const std::vector<std::string>& row, const std::string& name) const {
    return count_in(name, parse_number(text(row, name)));
  }

  std::string path_, face_;
  std::map<std::string, size_t> places_;
};

/// Lines one at a time; what is wrong with one is said with its number.
template <class Take>
void each_session_line(const std::string& path, const Take& take) {
  LineReader lines(path, Observer::none());
  std::string_view line;
  while (lines.next(line)) {
    if (trim(line).empty()) continue;
    try {
      take(std::string(line));
    } catch (const UserError&) {
      throw;
    } catch (const BadRow& problem) {
      throw UserError(fmt::format("{}:{}: {}", path, lines.number(), problem.what()));
    } catch (const std::exception&) {  // JSON's, std::out_of_range, std::invalid_argument
      throw UserError(fmt::format("{}: line {} is none of a session of fercli", path, lines.number()));
    }
  }
}

/// A label without a probability would be in no table.
void require_class_of_session(const std::vector<std::string>& classes, const std::string& label) {
  if (label == kUncertainLabel || std::find(classes.begin(), classes.end(), label) != classes.end()) return;
  throw BadRow(
      fmt::format("the label '{}' is none of the classes with probabilities ({})", label, join(classes, ", ")));
}

/// Whether the labels are smoothed.
bool read_session_csv(const std::string& path, SessionTally& tally) {
  std::optional<SessionColumns> columns;
  std::vector<std::string> classes, row;
  std::optional<SessionFrame> open;
  each_session_line(path, [&](const std::string& line) {
    if (!columns) {
      columns.emplace(path, line);
      classes = columns->classes();
      tally.note_classes(classes);
      return;
    }
    split_fields(line, ',', row);
    if (row.size() != columns->size()) {
      throw BadRow(fmt::format("has {} fields, the header has {}", row.size(), columns->size()));
    }
    auto frame = columns->frame(row);
    if (!frame) return;
    for (const auto& face : frame->faces) require_class_of_session(classes, face.emotion);
    if (open && open->video == frame->video && open->number == frame->number) {
      open->faces.insert(open->faces.end(), frame->faces.begin(), frame->faces.end());
      return;
    }
    if (open) tally.add(std::move(*open), path);
    open = std::move(frame);
  });
  if (open) tally.add(std::move(*open), path);
  tally.end_video();
  return columns && columns->has("smoothed");
}

std::optional<double> figure_of(const json& object, const char* part, const char* name, const Range& range) {
  if (!object.contains(part) || !object.at(part).contains(name)) return {};
  return figure_in(range, name, object.at(part).at(name));
}

void read_session_lines(const std::string& path, SessionTally& tally) {
  std::optional<std::vector<std::string>> classes;  // of every face
  each_session_line(path, [&](const std::string& line) {
    const json row = parse_untrusted_json(line);
    SessionFrame frame{path, count_in("frame", row.at("frame")), figure_in(kTimes, "time", row.at("time")), {}};
    for (const auto& face : row.at("faces")) {
      double confidence = 0;
      std::vector<std::string> names;
      for (const auto& [name, value] : face.at("probabilities").items()) {
        names.push_back(name);
        confidence = std::max(confidence, figure_in(kShareRange, "p_" + name, value));
      }
      if (!classes) tally.note_classes(classes.emplace(names));
      if (names != *classes) throw BadRow("a face has probabilities of other classes than those before");
      frame.faces.push_back({count_in("track", face.at("track")), face.at("smoothed"), confidence,
                             figure_of(face, "derived", "valence", kAffects),
                             figure_of(face, "derived", "arousal", kAffects), figure_of(face, "pose", "roll", kAngles),
                             figure_of(face, "pose", "yaw", kAngles), figure_of(face, "pose", "pitch", kAngles)});
      require_class_of_session(*classes, frame.faces.back().emotion);
    }
    tally.add(std::move(frame), path);
  });
  tally.end_video();
}

const Register<DocumentKind> session_report{
    {"session-report", "report.json of report for a session of predict or live", schema_of_record<SessionReport>}};

}  // namespace

bool is_session_name(const fs::path& file) {
  const std::string extension = to_lower(file.extension().string());
  return extension == ".csv" || extension == ".jsonl";
}

json read_session(const std::vector<std::string>& files) {
  SessionTally tally;
  bool raw = false, smoothed = false;
  for (const auto& file : files) {
    if (to_lower(fs::path(file).extension().string()) == ".csv") {
      (read_session_csv(file, tally) ? smoothed : raw) = true;
    } else {
      read_session_lines(file, tally);
      smoothed = true;
    }
  }
  if (tally.frames() == 0) {
    throw UserError(fmt::format("{}: has no frame of a video; a session report needs times", files.front()));
  }
  return write_record(tally.report(raw && smoothed ? "mixed" : smoothed ? "smoothed" : "raw"));
}

}  // namespace fercli
