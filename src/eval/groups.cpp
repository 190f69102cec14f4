#include "eval/groups.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>

#include "eval/measures/group_tests.hpp"
#include "eval/measures/mcnemar.hpp"

namespace fercli {

namespace {

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

/// None where there are not two groups to compare.
std::optional<GroupGap> gap_between(const GroupCounts& counts, const GroupQuantity& quantity, const Rng& rng) {
  std::vector<std::string> names;
  std::vector<GroupCount> groups;
  for (const auto& [name, group] : counts) {
    if (group.n < kFewestOfGroup) continue;
    names.push_back(name);
    groups.push_back(group);
  }
  if (groups.size() < 2) return {};
  const auto lower = [](const GroupCount& a, const GroupCount& b) { return a.right * b.n < b.right * a.n; };
  const auto worst = std::min_element(groups.begin(), groups.end(), lower);
  auto best = std::max_element(groups.begin(), groups.end(), lower);
  if (best == worst) best = std::prev(groups.end());  // all are equal
  const bool two = groups.size() == 2;
  GroupGap gap;
  gap.eps = quantity.eps;
  gap.best = names[static_cast<size_t>(best - groups.begin())];
  gap.worst = names[static_cast<size_t>(worst - groups.begin())];
  gap.difference = group_difference(*best, *worst);
  gap.test = two ? "Fisher's exact" : "permutation";
  gap.p = two ? fisher_exact(groups[0], groups[1]) : largest_gap_test(groups, kGapDraws, rng);
  return gap;
}

GroupColumnFigures column_figures(const GroupColumn& column, const std::vector<GroupQuantity>& quantities,
                                  const Rng& rng) {
  GroupColumnFigures figures{column.name, std::count(column.values.begin(), column.values.end(), ""), {}, {}};
  std::map<std::string, GroupFigures> groups;
  for (const auto& quantity : quantities) {
    const GroupCounts counts = count_groups(column, quantity);
    for (const auto& [name, group] : counts) {
      const Metric accuracy = proportion(group.right, group.n);
      if (quantity.eps.empty()) {
        groups[name] = {name, accuracy, {}};
      } else {
        groups[name].robust.push_back({quantity.eps, accuracy});
      }
    }
    if (auto gap = gap_between(counts, quantity, rng.split(quantity.eps))) figures.gaps.push_back(std::move(*gap));
  }
  for (auto& [name, entry] : groups) figures.groups.push_back(std::move(entry));
  return figures;
}

}  // namespace

GroupComparison compare_groups(const std::vector<GroupColumn>& columns, const std::vector<GroupQuantity>& quantities,
                               uint64_t seed) {
  const Rng rng = Rng(seed).split("groups");
  GroupComparison found{kFewestOfGroup, kGapDraws, {}};
  for (const auto& column : columns)
    found.columns.push_back(column_figures(column, quantities, rng.split(column.name)));
  std::vector<double> p;
  for (const auto& column : found.columns)
    for (const auto& gap : column.gaps) p.push_back(gap.p);
  const auto corrected = holm(p);
  auto next = corrected.begin();
  for (auto& column : found.columns)
    for (auto& gap : column.gaps) gap.p_holm = *next++;
  return found;
}

}  // namespace fercli
