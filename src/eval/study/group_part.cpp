#include "eval/study/group_part.hpp"

#include "eval/groups.hpp"

namespace fercli {

namespace {

using nlohmann::json;

/// Whether this is the outcome of one of the attacks of the part robustness: others have other images, norms or grids.
bool belongs_to(const json& outcome, const json& robustness) {
  if (outcome.at("norm") != robustness.at("norm") || outcome.at("eps") != robustness.at("eps")) return false;
  for (const auto& attack : robustness.at("attacks"))
    if (attack.at("name") == outcome.at("attack")) return true;
  return false;
}

/// One for each eps: right where no attack of the part breaks the image there.
std::vector<GroupQuantity> robust_quantities(const json& outcomes, const json& robustness) {
  std::vector<GroupQuantity> quantities;
  const size_t images = outcomes.at("ids").size();
  for (const auto& eps : robustness.at("eps"))
    quantities.push_back({eps.get<std::string>(), std::vector<int64_t>(images, -1)});
  for (const auto& attack : outcomes.value("attacks", json::array())) {
    if (!belongs_to(attack, robustness)) continue;
    for (size_t i = 0; i < attack.at("rows").size(); ++i) {
      const auto broken = attack.at("broken").at(i).get<int64_t>();
      for (size_t k = 0; k < quantities.size(); ++k) {
        auto& right = quantities[k].right.at(attack.at("rows").at(i).get<size_t>());
        const bool stands = broken > static_cast<int64_t>(k);  // -1: wrong as it is
        right = stands && right != 0 ? 1 : 0;
      }
    }
  }
  return quantities;
}

}  // namespace

void add_group_part(json& report, const std::vector<GroupColumn>& columns) {
  const json nothing = json::object();
  const json& measured = report.at("parts").contains("robustness") ? report["parts"]["robustness"] : nothing;
  for (const auto& [name, outcomes] : report.at("outcomes").items()) {
    GroupQuantity clean{"", {}};
    for (size_t i = 0; i < outcomes.at("labels").size(); ++i)
      clean.right.push_back(outcomes.at("answers").at(i) == outcomes["labels"][i] ? 1 : 0);
    std::vector<GroupQuantity> quantities{std::move(clean)};
    if (measured.contains(name) && measured[name].contains("attacks")) {
      for (auto& quantity : robust_quantities(outcomes, measured[name])) quantities.push_back(std::move(quantity));
    }
    report["parts"]["groups"][name] = compare_groups(columns, quantities, report.at("seed").get<uint64_t>());
  }
}

}  // namespace fercli
