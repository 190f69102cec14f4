#include "eval/study/compare.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "core/error.hpp"
#include "eval/image_outcomes.hpp"
#include "eval/result_shapes.hpp"
#include "eval/robustness_summary.hpp"

namespace fercli {

using nlohmann::json;

namespace {

using Right = std::map<std::string, bool>;  ///< by image id

struct Condition {
  std::string name;
  Right right;
  json settings;  ///< of the attack; null: of a result that does not say
};

/// What two results must agree about for their images to be the same.
struct Seen {
  std::string label, pixels;  ///< pixels "": not said
};

using Images = std::map<std::string, Seen>;  ///< by id

ImageOutcomes outcomes_of(const json& report, const std::string& model) {
  const auto outcomes = report.find("outcomes");
  if (outcomes == report.end() || !outcomes->contains(model)) {
    throw UserError(fmt::format("{}: the file has no outcomes of its images, so they cannot be paired", model));
  }
  return Shape<ImageOutcomes>::read(outcomes->at(model));
}

/// "pgd Linf 4/255", and how its threat differs from any change of any pixel that leaves an 8-bit image.
std::string condition_name(const AttackedRows& attacked, size_t budget) {
  return fmt::format("{} {} {}{}", attacked.attack, attacked.norm, attacked.eps.at(budget),
                     restriction_words(attacked.restrictions));
}

std::vector<Condition> conditions_of(const ImageOutcomes& outcomes) {
  std::vector<Condition> conditions;
  if (!outcomes.answers.empty()) {
    Right right;
    for (size_t row = 0; row < outcomes.ids.size(); ++row)
      right[outcomes.ids[row]] = outcomes.answers.at(row) == outcomes.labels.at(row);
    conditions.push_back({"clean", std::move(right), {}});
  }
  for (const auto& attacked : outcomes.attacks) {
    for (size_t budget = 0; budget < attacked.eps.size(); ++budget) {
      Right right;
      for (size_t i = 0; i < attacked.rows.size(); ++i)
        right[outcomes.ids.at(static_cast<size_t>(attacked.rows[i]))] = attacked.robust(i, budget);
      conditions.push_back({condition_name(attacked, budget), std::move(right), attacked.settings});
    }
  }
  return conditions;
}

Images images_of(const json& report, const ImageOutcomes& outcomes) {
  Images images;
  const json& classes = report.at("dataset").at("classes");
  for (size_t row = 0; row < outcomes.ids.size(); ++row) {
    Seen& seen = images[outcomes.ids[row]];
    seen.label = classes.at(static_cast<size_t>(outcomes.labels.at(row)));
    if (!outcomes.pixels.empty()) seen.pixels = outcomes.pixels.at(row);
  }
  return images;
}

/// Networks for images of other sizes read the same picture as other pixels, which says nothing.
bool other_pixels(const std::string& first, const std::string& second) {
  return first != second && first.substr(0, first.find(':')) == second.substr(0, second.find(':'));
}

int64_t count_common(const Images& first, const Images& second) {
  int64_t common = 0;
  for (const auto& [id, seen] : first) {
    const auto other = second.find(id);
    if (other == second.end()) continue;
    if (other->second.label != seen.label) {
      throw UserError(fmt::format("image {} is {} in one result and {} in the other: these are different data sets", id,
                                  seen.label, other->second.label));
    }
    if (other_pixels(seen.pixels, other->second.pixels)) {
      throw UserError(
          fmt::format("image {} has other pixels in one result than in the other: these are different data sets", id));
    }
    ++common;
  }
  if (common == 0) throw UserError("the two results have no image in common, so they cannot be paired");
  return common;
}

/// How the attacks of a condition searched, apart from what follows from the largest eps of the grid. Older results
/// do not record everything that newer ones do; what only one of them records does not tell them apart.
bool same_search(const json& first, const json& second) {
  if (first.is_null() || second.is_null()) return true;
  const bool same_eps = first.value("eps", json()) == second.value("eps", json());
  for (const auto& [key, value] : first.items()) {
    if (!same_eps && (key == "eps" || key == "alpha")) continue;
    if (second.contains(key) && second.at(key) != value) return false;
  }
  return true;
}

}  // namespace

Comparison compare_models(const json& first_report, const std::string& first, const json& second_report,
                          const std::string& second) {
  const auto of_first = outcomes_of(first_report, first), of_second = outcomes_of(second_report, second);
  Comparison found{
      first, second, count_common(images_of(first_report, of_first), images_of(second_report, of_second)), {}};
  std::vector<double> p;
  const auto others = conditions_of(of_second);
  for (const auto& condition : conditions_of(of_first)) {
    for (const auto& other : others) {
      if (other.name != condition.name) continue;
      const auto paired = pair_outcomes(condition.right, other.right);
      if (paired.n() == 0) continue;
      PairedTest& test = found.tests.emplace_back();
      test.condition = condition.name;
      test.figures = paired_figures(paired);
      if (!same_search(condition.settings, other.settings)) test.settings_differ = true;
      p.push_back(test.figures.p);
    }
  }
  const auto corrected = holm(p);
  for (size_t i = 0; i < corrected.size(); ++i) found.tests[i].p_holm = corrected[i];
  return found;
}

}  // namespace fercli
