#include "data/votes.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "core/text.hpp"
#include "data/class_rules.hpp"
#include "data/image_table.hpp"

namespace fercli {

namespace {

/// Which columns of the table hold what.
struct VoteColumns {
  std::vector<size_t> classes, others;  ///< votes for each class; for `unknown` and `NF`
  std::vector<std::string> names;       ///< of the classes
  std::optional<size_t> usage;

  explicit VoteColumns(const ImageTable& table) {
    for (size_t i = 0; i < table.columns().size(); ++i) {
      const std::string &name = table.columns()[i], lower = to_lower(name);
      if (i == table.name_column() || name.empty()) continue;
      if (lower == "usage" || lower == "split") {
        usage = i;
      } else if (lower == "unknown" || lower == "nf") {
        others.push_back(i);
      } else {
        const Emotion* emotion = find_emotion(name);
        classes.push_back(i);
        names.push_back(emotion != nullptr ? emotion->name : name);
      }
    }
    if (classes.size() < 2) {
      table.fail(
          fmt::format("the header must name a column for each class, as in 'Usage,Image name,neutral,"
                      "happiness,…', but names {}",
                      join(table.columns(), ", ")));
    }
  }
};

constexpr double kMostVotes = 1e9;  // of one class for one image

float votes_in(const ImageTable& table, size_t row, size_t column) {
  const std::string& field = table.rows()[row][column];
  try {
    const double count = field.empty() ? 0 : parse_number(field);
    if (count >= 0 && count <= kMostVotes) return static_cast<float>(count);
  } catch (const std::invalid_argument&) {
  }
  table.fail(row, fmt::format("'{}' must be a number of votes from 0 to {:.0f}", field.substr(0, 20), kMostVotes));
}

size_t row_of_image(const ImageTable& table, const Dataset& data, size_t image, const VoteColumns& columns) {
  const auto& id = data.ids[image];
  const auto row = table.row_of(id);
  if (!row) {
    table.fail(
        fmt::format("has no votes for image {}, of {} rows; images are found by the name of their file, or by "
                    "their place in the CSV they come from",
                    id, table.rows().size()));
  }
  if (!columns.usage) return *row;
  const Split here = data.splits[image], there = find_split(table.rows()[*row][*columns.usage]).value_or(Split::None);
  if (here != Split::None && there != Split::None && here != there) {
    table.fail(*row, fmt::format("says that image {} is of {}, where {} has it in {}: the rows of the two do not "
                                 "belong together",
                                 id, to_string(there), data.name, to_string(here)));
  }
  return *row;
}

}  // namespace

Dataset with_votes(Dataset data, const std::string& file, Observer& observer) {
  const ImageTable table(file, "--votes", observer);
  const VoteColumns columns(table);
  std::vector<int64_t> places;
  for (const auto& name : columns.names) places.push_back(add_class(data.classes, name));
  const int64_t classes = data.classes.size();
  data.votes = torch::zeros({data.size(), classes});
  data.labels = data.labels.clone();
  std::vector<int64_t> kept;
  for (int64_t i = 0; i < data.size(); ++i) {
    const size_t row = row_of_image(table, data, static_cast<size_t>(i), columns);
    float* share = data.votes.data_ptr<float>() + i * classes;
    float total = 0, others = 0;
    for (size_t k = 0; k < places.size(); ++k) {
      const float votes = votes_in(table, row, columns.classes[k]);
      share[places[k]] += votes;
      total += votes;
    }
    for (const size_t column : columns.others) others = std::max(others, votes_in(table, row, column));
    const float most = *std::max_element(share, share + classes);
    int64_t& label = data.labels.data_ptr<int64_t>()[i];
    if (label < 0 || share[label] < most) label = std::find(share, share + classes, most) - share;
    if (most <= 0 || most < others) continue;
    for (int64_t k = 0; k < classes; ++k) share[k] /= total;
    kept.push_back(i);
  }
  if (kept.empty()) table.fail("no image has most of its votes for a class");
  const int64_t all = data.size();
  if (static_cast<int64_t>(kept.size()) < all) data = data.select(kept);
  data.dropped += all - data.size();
  return data;
}

}  // namespace fercli
