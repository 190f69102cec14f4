#include "eval/study/group_part.hpp"

#include "eval/groups.hpp"
#include "eval/ladder_figures.hpp"

namespace fercli {

namespace {

using nlohmann::json;

/// Whether this is the outcome of one of the attacks of the part robustness: others have other images, norms or grids.
bool belongs_to(const AttackedRows& attacked, const LadderFigures& robustness) {
  return attacked.norm == robustness.base.norm && attacked.eps == robustness.base.eps &&
         std::any_of(robustness.attacks.begin(), robustness.attacks.end(),
                     [&](const LadderAttack& attack) { return attack.curves.name == attacked.attack; });
}

/// One for each eps: right where no attack of the part breaks the image there.
std::vector<GroupQuantity> robust_quantities(const ImageOutcomes& outcomes, const LadderFigures& robustness) {
  std::vector<GroupQuantity> quantities;
  for (const auto& eps : robustness.base.eps)
    quantities.push_back({eps, std::vector<int64_t>(outcomes.ids.size(), -1)});
  for (const auto& attacked : outcomes.attacks) {
    if (!belongs_to(attacked, robustness)) continue;
    for (size_t i = 0; i < attacked.rows.size(); ++i) {
      for (size_t k = 0; k < quantities.size(); ++k) {
        auto& right = quantities[k].right.at(static_cast<size_t>(attacked.rows[i]));
        right = attacked.robust(i, k) && right != 0 ? 1 : 0;
      }
    }
  }
  return quantities;
}

}  // namespace

void add_group_part(json& parts, const std::map<std::string, ImageOutcomes>& outcomes,
                    const std::vector<GroupColumn>& columns, uint64_t seed) {
  if (columns.empty()) return;
  const json measured = parts.value("robustness", json::object());
  for (const auto& [name, found] : outcomes) {
    std::vector<GroupQuantity> quantities{{"", {}}};
    for (size_t i = 0; i < found.labels.size(); ++i)
      quantities[0].right.push_back(found.answers.at(i) == found.labels[i] ? 1 : 0);
    if (measured.contains(name) && measured[name].contains("attacks")) {
      const auto robustness = Shape<LadderFigures>::read(measured[name]);
      for (auto& quantity : robust_quantities(found, robustness)) quantities.push_back(std::move(quantity));
    }
    parts["groups"][name] = Shape<GroupComparison>::write(compare_groups(columns, quantities, seed));
  }
}

}  // namespace fercli
