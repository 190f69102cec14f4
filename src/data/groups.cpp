#include "data/groups.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "core/error.hpp"
#include "core/escape.hpp"
#include "core/files.hpp"
#include "core/text.hpp"
#include "data/image_table.hpp"

namespace fercli {

namespace {

constexpr size_t kMostNumbers = 12;  // that are groups of their own
constexpr size_t kMostGroups = 50;

std::optional<double> number_in(const std::string& field) {
  try {
    const double number = parse_number(field);
    if (std::isfinite(number)) return number;
  } catch (const std::invalid_argument&) {
  }
  return {};
}

/// Three groups of about equal size: "up to 24", "over 24 to 38", "over 38".
void cut_at_terciles(std::vector<std::string>& values) {
  std::vector<double> numbers;
  for (const auto& value : values)
    if (!value.empty()) numbers.push_back(*number_in(value));
  std::sort(numbers.begin(), numbers.end());
  const double low = numbers[(numbers.size() - 1) / 3], high = numbers[(numbers.size() - 1) * 2 / 3];
  for (auto& value : values) {
    if (value.empty()) continue;
    const double number = *number_in(value);
    value = number <= low    ? fmt::format("up to {:g}", low)
            : number <= high ? fmt::format("over {:g} to {:g}", low, high)
                             : fmt::format("over {:g}", high);
  }
}

/// As tables of numbers say that one is not known.
bool is_unknown_number(const std::string& value) {
  static const std::set<std::string> words{"na", "n/a", "nan", "null", "none", "unknown", "-", "?"};
  return words.count(to_lower(value)) > 0;
}

void settle_values(const ImageTable& table, GroupColumn& column) {
  std::set<std::string> different(column.values.begin(), column.values.end());
  different.erase("");
  const auto is_number = [](const std::string& value) { return number_in(value).has_value(); };
  const bool numbers = std::any_of(different.begin(), different.end(), is_number) &&
                       std::all_of(different.begin(), different.end(), [&](const std::string& value) {
                         return is_number(value) || is_unknown_number(value);
                       });
  for (auto& value : column.values) {
    if (!numbers || !is_unknown_number(value)) continue;
    different.erase(value);
    value.clear();
  }
  if (numbers && different.size() > kMostNumbers) return cut_at_terciles(column.values);
  if (different.size() > kMostGroups) {
    table.fail(fmt::format("column '{}' has {} different values, where {} groups are the most; leave it out",
                           column.name, different.size(), kMostGroups));
  }
}

}  // namespace

std::vector<GroupColumn> read_groups(const std::string& file, const std::vector<std::string>& ids, Observer& observer) {
  const ImageTable table(file, "--groups", observer);
  if (!table.name_column()) {
    table.fail(fmt::format("the header must name a column id or file, and columns of groups, but names {}",
                           join(table.columns(), ", ")));
  }
  std::vector<std::optional<size_t>> rows;
  rows.reserve(ids.size());
  for (const auto& id : ids) rows.push_back(table.row_of(id));
  if (std::none_of(rows.begin(), rows.end(), [](const auto& row) { return row.has_value(); })) {
    table.fail(fmt::format("none of its {} rows is about one of the {} images, such as {}", table.rows().size(),
                           ids.size(), ids.empty() ? "" : ids.front()));
  }
  std::vector<GroupColumn> columns;
  for (size_t i = 0; i < table.columns().size(); ++i) {
    if (i == *table.name_column() || table.columns()[i].empty()) continue;
    GroupColumn column{printable(table.columns()[i]), {}};
    if (std::any_of(columns.begin(), columns.end(), [&](const auto& other) { return other.name == column.name; }))
      table.fail(fmt::format("has the column {} twice", column.name));
    for (const auto& row : rows) column.values.push_back(row ? printable(table.rows()[*row][i]) : "");
    settle_values(table, column);
    columns.push_back(std::move(column));
  }
  if (columns.empty()) table.fail("has no column of groups beside the images' names");
  return columns;
}

void write_groups(const std::filesystem::path& file, const std::vector<std::string>& ids,
                  const std::vector<GroupColumn>& groups) {
  std::string text = "file";
  for (const auto& column : groups) text += "," + csv_field(column.name);
  text += "\n";
  for (size_t i = 0; i < ids.size(); ++i) {
    text += csv_field(ids[i]);
    for (const auto& column : groups) text += "," + csv_field(column.values.at(i));
    text += "\n";
  }
  write_file(file, text);
}

}  // namespace fercli
