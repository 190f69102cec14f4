#include "eval/campaign/trial.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "attacks/engine/transfer.hpp"
#include "core/digest.hpp"
#include "core/error.hpp"
#include "core/text.hpp"

namespace fercli {

AttackSettings Surrogate::fitted(const AttackSettings& settings) const {
  return classifier ? transfer_settings(settings) : settings;
}

std::unique_ptr<Attack> Trial::attack(const std::string& name) const {
  return make_attack(name, surrogate.fitted(settings), norm, targeted());
}

double Trial::search_limit() const {
  return std::max(ladder.back().eps, nearest_limit > 0 ? nearest_limit : facts_of(norm).limit);
}

std::string mask_digest(const torch::Tensor& mask) {
  const auto values = mask.contiguous();
  return Digest().add(values.data_ptr(), values.nbytes()).hex();
}

std::vector<Budget> parse_ladder(const std::string& text, Norm norm) {
  std::vector<Budget> ladder;
  for (const auto& word : split(text, ',')) {
    try {
      ladder.push_back({word, parse_number(word)});
    } catch (const std::invalid_argument&) {
      throw UserError(fmt::format("--eps {}: '{}' must be a number or a fraction like 8/255", text, word));
    }
    const double eps = ladder.back().eps;
    if (eps == 0) {  // the images as they are, which every result has anyway
      ladder.pop_back();
      continue;
    }
    const std::string fault = eps_fault(norm, word, eps);
    if (!fault.empty()) throw UserError(fmt::format("--eps {}: {}", text, fault));
  }
  if (ladder.empty()) {
    throw UserError(fmt::format("--eps{}: at least one value above 0 is needed", text.empty() ? "" : " " + text));
  }
  std::stable_sort(ladder.begin(), ladder.end(), [](const Budget& a, const Budget& b) { return a.eps < b.eps; });
  const auto same = [](const Budget& a, const Budget& b) { return a.eps == b.eps; };
  ladder.erase(std::unique(ladder.begin(), ladder.end(), same), ladder.end());
  return ladder;
}

}  // namespace fercli
