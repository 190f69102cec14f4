#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "data/label_set.hpp"
#include "faces/head_pose.hpp"

namespace fercli {

/// What tables and JSON report of one face.
struct SeenFace {
  int64_t number = 0;  ///< in a picture its place from left to right, in a video that of the person; from 1
  Box box;
  std::vector<double> probabilities;  ///< in the order of the classes
  std::optional<double> score = {};   ///< of the detector
  std::optional<HeadPose> pose = {};

  int64_t top() const { return top_of(probabilities); }
  double confidence() const { return probabilities[static_cast<size_t>(top())]; }
};

/// A column of the CSV of `predict` or `live`.
struct CsvColumn {
  enum class Type { Text, Whole, Number };
  std::string name;  ///< "p_CLASS": one for each class
  Type type;
  std::string unit;                           ///< "" for none
  std::optional<double> low = {}, high = {};  ///< the least and the largest value
  std::string empty = "";                     ///< when it is; "" never
  std::string meaning = {};

  std::string range() const;  ///< "0 to 1", "from 0"; "" where any value is allowed
};

const std::vector<CsvColumn>& predict_columns();
const std::vector<CsvColumn>& session_columns();

/// "file,frame,…,p_Angry,…\n"
std::string csv_header(const std::vector<CsvColumn>& columns, const LabelSet& classes);

/// The fields from x to the last p_CLASS, and those from score to derived_arousal; of no face, empty ones. Without a
/// comma at their ends.
std::string csv_of_reading(const SeenFace* face, const LabelSet& classes);
std::string csv_of_head(const SeenFace* face, const LabelSet& classes);

/// The members of a face that both commands write: box, probabilities, and where they are known score, pose and
/// derived; and their schema.
nlohmann::ordered_json json_of_face(const SeenFace& face, const LabelSet& classes);
std::vector<std::pair<std::string, nlohmann::json>> always_of_face();
std::vector<std::pair<std::string, nlohmann::json>> sometimes_of_face();

}  // namespace fercli
