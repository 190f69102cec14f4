#include "eval/study/compare.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "eval/mcnemar.hpp"

namespace fercli {

using nlohmann::json;

namespace {

using Right = std::map<std::string, bool>;  ///< by image id

struct Condition {
  std::string name;
  Right right;
};

const json& outcomes_of(const json& report, const std::string& model) {
  const auto outcomes = report.find("outcomes");
  if (outcomes == report.end() || !outcomes->contains(model) || !outcomes->at(model).contains("ids")) {
    throw UserError(fmt::format("{}: the file has no outcomes of its images, so they cannot be paired", model));
  }
  return outcomes->at(model);
}

std::vector<Condition> conditions_of(const json& outcomes) {
  std::vector<Condition> conditions;
  const json& ids = outcomes.at("ids");
  if (outcomes.contains("answers")) {
    Right right;
    for (size_t row = 0; row < ids.size(); ++row) right[ids[row]] = outcomes["answers"][row] == outcomes["labels"][row];
    conditions.push_back({"clean", std::move(right)});
  }
  for (const auto& attack : outcomes.value("attacks", json::array())) {
    for (size_t rung = 0; rung < attack.at("eps").size(); ++rung) {
      Right right;
      for (size_t i = 0; i < attack.at("rows").size(); ++i) {
        right[ids.at(attack["rows"][i].get<size_t>())] =
            attack.at("broken").at(i).get<int64_t>() > static_cast<int64_t>(rung);
      }
      conditions.push_back({fmt::format("{} {} {}", attack.at("attack").get<std::string>(),
                                        attack.at("norm").get<std::string>(), attack["eps"][rung].get<std::string>()),
                            std::move(right)});
    }
  }
  return conditions;
}

/// Class names by id.
std::map<std::string, std::string> labels_of(const json& report, const json& outcomes) {
  std::map<std::string, std::string> labels;
  for (size_t row = 0; row < outcomes.at("ids").size(); ++row) {
    labels[outcomes["ids"][row]] = report.at("dataset").at("classes").at(outcomes.at("labels").at(row).get<size_t>());
  }
  return labels;
}

int64_t count_common(const std::map<std::string, std::string>& first,
                     const std::map<std::string, std::string>& second) {
  int64_t common = 0;
  for (const auto& [id, label] : first) {
    const auto other = second.find(id);
    if (other == second.end()) continue;
    if (other->second != label) {
      throw UserError(fmt::format("image {} is {} in one result and {} in the other: these are different data sets", id,
                                  label, other->second));
    }
    ++common;
  }
  if (common == 0) throw UserError("the two results have no image in common, so they cannot be paired");
  return common;
}

}  // namespace

json compare_models(const json& first_report, const std::string& first, const json& second_report,
                    const std::string& second) {
  const json &of_first = outcomes_of(first_report, first), &of_second = outcomes_of(second_report, second);
  const int64_t common = count_common(labels_of(first_report, of_first), labels_of(second_report, of_second));
  auto tests = json::array();
  const auto others = conditions_of(of_second);
  for (const auto& condition : conditions_of(of_first)) {
    for (const auto& other : others) {
      if (other.name != condition.name) continue;
      const auto paired = pair_outcomes(condition.right, other.right);
      if (paired.n() == 0) continue;
      tests.push_back(to_json(paired));
      tests.back()["condition"] = condition.name;
    }
  }
  add_holm(tests);
  return {{"first", first}, {"second", second}, {"images", common}, {"tests", std::move(tests)}};
}

}  // namespace fercli
