#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/numbers.hpp"
#include "record/fields.hpp"

namespace fercli {

/// How long a label was seen.
struct LabelShare {
  double seconds = 0;
  int64_t frames = 0;
  double share = 0;  ///< of the time in sight, or of the frames where there is no time
};

using LabelShares = std::map<std::string, LabelShare>;

struct LabelStretch {
  double from = 0, to = 0;
  std::string emotion;
};

struct MeanAffect {
  double valence = kNaN, arousal = kNaN;
};

struct MeanPose {
  double roll = kNaN, yaw = kNaN, pitch = kNaN;
};

/// A person of a session; what is not known is NaN.
struct SessionPerson {
  std::string name, video;
  int64_t number = 0;
  double first = 0, last = 0, seconds = 0;
  int64_t frames = 0;
  std::string mostly;
  LabelShares shares;
  int64_t changes = 0;
  double changes_per_minute = kNaN, mean_confidence = kNaN;
  MeanAffect derived;
  MeanPose pose;
  std::vector<LabelStretch> stretches;
};

struct Everybody {
  double seconds = 0;
  int64_t frames = 0;
  LabelShares shares;
};

struct LabelTransitions {
  int64_t n = 0;
  double longest_gap = 0;
  std::map<std::string, std::map<std::string, int64_t>> counts;
};

/// report.json of a session.
struct SessionReport {
  static constexpr const char* kSchema = "fercli-session/1";
  std::string version, revision;
  std::vector<std::string> videos;
  double seconds = 0;
  int64_t frames = 0, frames_with_faces = 0;
  std::string labels = "raw";
  std::vector<std::string> classes;
  std::vector<SessionPerson> people;
  Everybody everybody;
  LabelTransitions transitions;
};

template <class Visitor>
void visit_fields(Visitor& field, LabelShare& share) {
  field("seconds", share.seconds, "with this label");
  field("frames", share.frames, "likewise");
  field("share", share.share, "of the time in sight, or of the frames where there is no time");
}

template <class Visitor>
void visit_fields(Visitor& field, LabelStretch& stretch) {
  field("from", stretch.from, "second of the video");
  field("to", stretch.to, "likewise");
  field("emotion", stretch.emotion, "the label");
}

template <class Visitor>
void visit_fields(Visitor& field, MeanAffect& affect) {
  field("valence", affect.valence, "-1 to 1");
  field("arousal", affect.arousal, "-1 to 1");
}

template <class Visitor>
void visit_fields(Visitor& field, MeanPose& pose) {
  field("roll", pose.roll, "degrees");
  field("yaw", pose.yaw, "degrees");
  field("pitch", pose.pitch, "degrees");
}

template <class Visitor>
void visit_fields(Visitor& field, SessionPerson& person) {
  field("name", person.name, "of the video, where there are several, and the number");
  field("video", person.video, "its file");
  field("number", person.number, "as in the session");
  field("first", person.first, "second of the video");
  field("last", person.last, "likewise");
  field("seconds", person.seconds, "in sight");
  field("frames", person.frames, "with this face");
  field("mostly", person.mostly, "the label with the largest share");
  field("shares", person.shares, "of each label");
  field("changes", person.changes, "from one class to another");
  field("changes_per_minute", person.changes_per_minute, "of the time in sight");
  field("mean_confidence", person.mean_confidence, "over the frames");
  field("derived", person.derived, "means; from the probabilities and the values of Russell and Mehrabian (1977)");
  field("pose", person.pose, "means, to a tenth");
  field("stretches", person.stretches, "of equal labels");
}

template <class Visitor>
void visit_fields(Visitor& field, Everybody& all) {
  field("seconds", all.seconds, "in sight, summed over the people");
  field("frames", all.frames, "likewise");
  field("shares", all.shares, "of each label");
}

template <class Visitor>
void visit_fields(Visitor& field, LabelTransitions& transitions) {
  field("n", transitions.n, "changes of all people");
  field("longest_gap", transitions.longest_gap, "seconds between the two labels of a change");
  field("counts", transitions.counts, "from a class to another");
}

template <class Visitor>
void visit_fields(Visitor& field, SessionReport& report) {
  field.constant("schema", SessionReport::kSchema, "of this document");
  field("version", report.version, "of fercli");
  field("revision", report.revision, "of its source");
  field("videos", report.videos, "in the order of the session");
  field("seconds", report.seconds, "of all videos");
  field("frames", report.frames, "of all videos");
  field("frames_with_faces", report.frames_with_faces, "of these");
  field("labels", report.labels, "raw: of each frame alone; smoothed: over time; mixed: of several files, either");
  field("classes", report.classes, "and uncertain, where it is a label");
  field("people", report.people, "those in sight longest first");
  field("everybody", report.everybody, "all people together");
  field("transitions", report.transitions, "of labels");
}

}  // namespace fercli
