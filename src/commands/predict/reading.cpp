#include "commands/predict/reading.hpp"

namespace fercli {

namespace {

nlohmann::json or_null_of(const std::optional<double>& value) {
  return value ? nlohmann::json(*value) : nlohmann::json();
}

std::optional<double> number_or_none(const nlohmann::json& value) {
  if (value.is_null()) return {};
  return value.get<double>();
}

}  // namespace

nlohmann::json message_of(const Reading& reading) {
  auto faces = nlohmann::json::array();
  for (const auto& face : reading.faces) {
    nlohmann::json pose;
    if (face.pose) pose = {face.pose->roll, or_null_of(face.pose->yaw), or_null_of(face.pose->pitch)};
    faces.push_back({face.number, face.box.x, face.box.y, face.box.width, face.box.height, face.probabilities,
                     or_null_of(face.score), pose});
  }
  return {reading.place, reading.frame.value_or(-1), reading.time, faces};
}

Reading reading_of(const nlohmann::json& message, const std::vector<std::string>& files) {
  Reading reading;
  reading.place = message.at(0);
  reading.file = files.at(reading.place);
  if (message.at(1).get<int64_t>() >= 0) reading.frame = message.at(1).get<int64_t>();
  reading.time = message.at(2);
  for (const auto& each : message.at(3)) {
    SeenFace face{each.at(0), {each.at(1), each.at(2), each.at(3), each.at(4)}, each.at(5), number_or_none(each.at(6))};
    const auto& pose = each.at(7);
    if (!pose.is_null()) face.pose = HeadPose{pose.at(0), number_or_none(pose.at(1)), number_or_none(pose.at(2))};
    reading.faces.push_back(std::move(face));
  }
  return reading;
}

}  // namespace fercli
