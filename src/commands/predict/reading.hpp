#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "live/face_columns.hpp"

namespace fercli {

/// What was seen in one picture, or in one frame of a video.
struct Reading {
  size_t place = 0;  ///< of the file among those that are read
  std::string file;
  std::optional<int64_t> frame = {};  ///< of a video, in which it has this number
  double time = 0;                    ///< and this time
  std::vector<SeenFace> faces = {};
};

/// For another process; every number comes back as it was. `file` is left out.
nlohmann::json message_of(const Reading& reading);
Reading reading_of(const nlohmann::json& message, const std::vector<std::string>& files);

}  // namespace fercli
