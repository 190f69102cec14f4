#include "eval/groups.hpp"

#include <algorithm>
#include <iterator>
#include <map>

#include "eval/measures/group_tests.hpp"
#include "eval/measures/mcnemar.hpp"
#include "eval/result.hpp"
#include "eval/result_shapes.hpp"

namespace fercli {

namespace {

using nlohmann::json;

constexpr int64_t kGapDraws = 9999;

/// The groups of a column, by name, with their counts of one quantity.
using GroupCounts = std::map<std::string, GroupCount>;

GroupCounts count_groups(const GroupColumn& column, const GroupQuantity& quantity) {
  GroupCounts counts;
  for (size_t i = 0; i < column.values.size(); ++i) {
    if (column.values[i].empty()) continue;
    GroupCount& group = counts[column.values[i]];
    if (quantity.right.at(i) < 0) continue;
    ++group.n;
    group.right += quantity.right[i];
  }
  return counts;
}

/// Null where there are not two groups to compare.
json gap_between(const GroupCounts& counts, const GroupQuantity& quantity, const Rng& rng) {
  std::vector<std::string> names;
  std::vector<GroupCount> groups;
  for (const auto& [name, group] : counts) {
    if (group.n < kFewestOfGroup) continue;
    names.push_back(name);
    groups.push_back(group);
  }
  if (groups.size() < 2) return nullptr;
  const auto lower = [](const GroupCount& a, const GroupCount& b) { return a.right * b.n < b.right * a.n; };
  const auto worst = std::min_element(groups.begin(), groups.end(), lower);
  auto best = std::max_element(groups.begin(), groups.end(), lower);
  if (best == worst) best = std::prev(groups.end());  // all are equal
  const bool two = groups.size() == 2;
  return {{"eps", quantity.eps},
          {"best", names[static_cast<size_t>(best - groups.begin())]},
          {"worst", names[static_cast<size_t>(worst - groups.begin())]},
          {"difference", to_json(group_difference(*best, *worst))},
          {"test", two ? "Fisher's exact" : "permutation"},
          {"p", two ? fisher_exact(groups[0], groups[1]) : largest_gap_test(groups, kGapDraws, rng)}};
}

json column_json(const GroupColumn& column, const std::vector<GroupQuantity>& quantities, const Rng& rng) {
  std::map<std::string, json> groups;
  auto gaps = json::array();
  for (const auto& quantity : quantities) {
    const GroupCounts counts = count_groups(column, quantity);
    for (const auto& [name, group] : counts) {
      json& entry = groups[name];
      const json metric = to_json(proportion(group.right, group.n));
      if (quantity.eps.empty()) {
        entry = {{"group", name}, {"n", group.n}, {"accuracy", metric}, {"robust", json::array()}};
      } else {
        entry["robust"].push_back({{"eps", quantity.eps}, {"accuracy", metric}});
      }
    }
    json gap = gap_between(counts, quantity, rng.split(quantity.eps));
    if (!gap.is_null()) gaps.push_back(std::move(gap));
  }
  json list = json::array();
  for (auto& [name, entry] : groups) list.push_back(std::move(entry));
  return {{"column", column.name},
          {"unknown", std::count(column.values.begin(), column.values.end(), "")},
          {"groups", list},
          {"gaps", gaps}};
}

/// Corrects all gaps of all columns together.
void add_holm_to_gaps(json& columns) {
  json tests = json::array();
  for (const auto& column : columns)
    for (const auto& gap : column.at("gaps")) tests.push_back(gap);
  add_holm(tests);
  size_t next = 0;
  for (auto& column : columns)
    for (auto& gap : column["gaps"]) gap = tests[next++];
}

}  // namespace

json compare_groups(const std::vector<GroupColumn>& columns, const std::vector<GroupQuantity>& quantities,
                    uint64_t seed) {
  const Rng rng = Rng(seed).split("groups");
  auto found = json::array();
  for (const auto& column : columns) found.push_back(column_json(column, quantities, rng.split(column.name)));
  add_holm_to_gaps(found);
  return {{"fewest", kFewestOfGroup}, {"draws", kGapDraws}, {"columns", found}};
}

json groups_schema() {
  using namespace shape;
  const json metric = Shape<Metric>::schema();
  const json group = object({{"group", text()},
                             {"n", whole()},
                             {"accuracy", metric},
                             {"robust", list(object({{"eps", text()}, {"accuracy", metric}}))}});
  const json gap = object({{"eps", described(text(), "empty: on unaltered images")},
                           {"best", text()},
                           {"worst", text()},
                           {"difference", metric},
                           {"test", one_of({"Fisher's exact", "permutation"})},
                           {"p", share()},
                           {"p_holm", described(share(), "corrected for all gaps of the table")}});
  return object({{"fewest", described(whole(), "images of a group that is compared")},
                 {"draws", described(whole(), "of the permutation test")},
                 {"columns", list(object({{"column", text()},
                                          {"unknown", described(whole(), "images of no group")},
                                          {"groups", list(group)},
                                          {"gaps", described(list(gap), "of the best and the worst group")}}))}});
}

}  // namespace fercli
