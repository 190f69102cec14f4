#include "live/face_columns.hpp"

#include <fmt/format.h>

#include <cmath>

#include "core/escape.hpp"
#include "data/valence_arousal.hpp"
#include "record/box_shape.hpp"
#include "record/document_kind.hpp"

namespace fercli {

namespace {

using Type = CsvColumn::Type;

constexpr const char* kEachClass = "p_CLASS";
constexpr const char* kNoFace = "without a face";
constexpr const char* kSource =
    "derived, not measured: from the probabilities and the values of Russell and Mehrabian (1977); neutral is 0";

std::vector<CsvColumn> joined_columns(std::vector<CsvColumn> first, const std::vector<CsvColumn>& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

std::vector<CsvColumn> reading_columns() {
  return {{"x", Type::Whole, "pixels", {}, {}, kNoFace, "left edge of the box, from the brows' top to the chin"},
          {"y", Type::Whole, "pixels", {}, {}, kNoFace, "its upper edge; below 0 where it sticks out"},
          {"width", Type::Whole, "pixels", 0, {}, kNoFace, "of the box"},
          {"height", Type::Whole, "pixels", 0, {}, kNoFace, "of the box"},
          {"emotion", Type::Text, "", {}, {}, kNoFace, "the most probable class, of this picture alone"},
          {"confidence", Type::Number, "", 0, 1, kNoFace, "its probability"},
          {kEachClass, Type::Number, "", 0, 1, kNoFace, "probability of each class, of this picture alone"}};
}

std::vector<CsvColumn> head_columns() {
  const std::string unknown = "where it is not known";
  return {{"score", Type::Number, "", 0, 1, "without YuNet", "how sure the detector is that it is a face"},
          {"roll", Type::Number, "degrees", -180, 180, unknown, "the head's tilt, clockwise in the picture"},
          {"yaw", Type::Number, "degrees", -80, 80, unknown + ", and without YuNet",
           "its turn to the picture's right edge"},
          {"pitch", Type::Number, "degrees", -90, 90, unknown + ", and without YuNet", "its turn downwards"},
          {"derived_valence", Type::Number, "", -1, 1, "for classes without values", kSource},
          {"derived_arousal", Type::Number, "", -1, 1, "for classes without values", kSource}};
}

std::string optional_number(const std::optional<double>& value, int decimals) {
  return value ? fmt::format("{:.{}f}", *value, decimals) : "";
}

double to_places(double value, double steps) {
  return std::round(value * steps) / steps;
}

nlohmann::json schema_of(const CsvColumn& column) {
  const char* type = column.type == Type::Text ? "string" : column.type == Type::Whole ? "integer" : "number";
  nlohmann::json schema{{"type", type}};
  if (!column.empty.empty()) schema["type"] = {type, "null"};
  if (column.low) schema["minimum"] = *column.low;
  if (column.high) schema["maximum"] = *column.high;
  const std::string unit = column.unit.empty() ? "" : column.unit + ": ";
  const std::string empty = column.empty.empty() ? "" : "; empty " + column.empty;
  return shape::described(schema, unit + column.meaning + empty);
}

nlohmann::json row_schema(const std::vector<CsvColumn>& columns) {
  shape::Members members;
  for (const auto& column : columns) {
    if (column.name != kEachClass) members.emplace_back(column.name, schema_of(column));
  }
  auto schema = shape::open_object(members);
  schema["additionalProperties"] = shape::described({{"type", {"number", "null"}}, {"minimum", 0}, {"maximum", 1}},
                                                    "p_CLASS: probability of each class; null without a face");
  return schema;
}

const Register<DocumentKind> predict_row{
    {"predict-row", "a line of predict's --csv; empty fields are null", [] { return row_schema(predict_columns()); }}};
const Register<DocumentKind> session_row{
    {"session-row", "a line of live's --csv; empty fields are null", [] { return row_schema(session_columns()); }}};

}  // namespace

std::string CsvColumn::range() const {
  if (low && high) return fmt::format("{:g} to {:g}", *low, *high);
  return low ? fmt::format("from {:g}", *low) : "";
}

const std::vector<CsvColumn>& predict_columns() {
  static const std::vector<CsvColumn> columns = joined_columns(
      joined_columns(
          {{"file", Type::Text, "", {}, {}, "", "the picture or video"},
           {"frame", Type::Whole, "", 0, {}, "for a picture", "number in the whole video"},
           {"time", Type::Number, "s", 0, {}, "for a picture", "the frame's own time stamp in the video"},
           {"face",
            Type::Whole,
            "",
            1,
            {},
            kNoFace,
            "in a picture, the place from left to right; in a video, the number of the person, as in annotated ones"}},
          reading_columns()),
      head_columns());
  return columns;
}

const std::vector<CsvColumn>& session_columns() {
  static const std::vector<CsvColumn> columns = joined_columns(
      joined_columns(
          joined_columns({{"time",
                           Type::Number,
                           "s",
                           0,
                           {},
                           "",
                           "the frame's own time stamp in the video; of a camera, since it was opened"},
                          {"frame", Type::Whole, "", 0, {}, "", "number in the whole video"},
                          {"track", Type::Whole, "", 1, {}, kNoFace, "number of the person, as in the window"}},
                         reading_columns()),
          {{"smoothed", Type::Text, "", {}, {}, kNoFace, "the label over time; uncertain where no class leads"},
           {"ms", Type::Number, "ms", 0, {}, "", "from the frame's arrival to its labels"}}),
      head_columns());
  return columns;
}

std::string csv_header(const std::vector<CsvColumn>& columns, const LabelSet& classes) {
  std::string header;
  for (const auto& column : columns) {
    if (column.name != kEachClass) {
      header += (header.empty() ? "" : ",") + column.name;
    } else {
      for (const auto& name : classes.names()) header += "," + csv_field("p_" + name);
    }
  }
  return header + "\n";
}

std::string csv_of_reading(const SeenFace* face, const LabelSet& classes) {
  if (face == nullptr) return std::string(5 + classes.names().size(), ',');
  const Box& box = face->box;
  std::string fields = fmt::format("{:.0f},{:.0f},{:.0f},{:.0f},{},{:.6f}", box.x, box.y, box.width, box.height,
                                   csv_field(classes.name(face->top())), face->confidence());
  for (const double probability : face->probabilities) fields += fmt::format(",{:.6f}", probability);
  return fields;
}

std::string csv_of_head(const SeenFace* face, const LabelSet& classes) {
  if (face == nullptr) return ",,,,,";
  const HeadPose pose = face->pose.value_or(HeadPose());
  const auto derived = derived_valence_arousal(face->probabilities, classes);
  return fmt::format("{},{},{},{},{},{}", optional_number(face->score, 3),
                     face->pose ? fmt::format("{:.1f}", pose.roll) : "", optional_number(pose.yaw, 1),
                     optional_number(pose.pitch, 1), derived ? fmt::format("{:.4f}", derived->valence) : "",
                     derived ? fmt::format("{:.4f}", derived->arousal) : "");
}

nlohmann::ordered_json json_of_face(const SeenFace& face, const LabelSet& classes) {
  nlohmann::ordered_json json{{"box", Shape<Box>::write(face.box)}}, probabilities;
  for (size_t k = 0; k < face.probabilities.size(); ++k) probabilities[classes.names()[k]] = face.probabilities[k];
  json["probabilities"] = probabilities;
  if (face.score) json["score"] = to_places(*face.score, 1e3);
  if (face.pose) {
    json["pose"] = {{"roll", to_places(face.pose->roll, 10)}};
    if (face.pose->yaw) json["pose"]["yaw"] = to_places(*face.pose->yaw, 10);
    if (face.pose->pitch) json["pose"]["pitch"] = to_places(*face.pose->pitch, 10);
  }
  if (const auto derived = derived_valence_arousal(face.probabilities, classes)) {
    json["derived"] = {{"valence", to_places(derived->valence, 1e4)}, {"arousal", to_places(derived->arousal, 1e4)}};
  }
  return json;
}

shape::Members always_of_face() {
  return {{"box", Shape<Box>::schema()},
          {"probabilities", shape::described(shape::map_of(shape::share()), "of each class")}};
}

shape::Members sometimes_of_face() {
  using namespace shape;
  const auto angle = [](const char* help) { return described(number(), help); };
  return {{"score", described(share(), "how sure YuNet is that it is a face")},
          {"pose", described(object({{"roll", angle("clockwise in the picture")}},
                                    {{"yaw", angle("to the picture's right edge")}, {"pitch", angle("downwards")}}),
                             "how the head is turned, in degrees")},
          {"derived", described(object({{"valence", number()}, {"arousal", number()}}), kSource)}};
}

}  // namespace fercli
