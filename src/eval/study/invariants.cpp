#include "eval/study/invariants.hpp"

#include <fmt/format.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/text.hpp"
#include "record/fields.hpp"

namespace fercli {

namespace {

/// From the strongest to the weakest.
const std::vector<std::string> kChain{"certified", "autoattack", "pgd", "fgsm", "clean"};

/// Which images (rows of the report's list) are robust at one eps.
using RobustRows = std::map<int64_t, bool>;

/// One way to look at the images: an attack, a certificate, or nothing at all.
struct Series {
  std::string name, norm;
  std::vector<std::string> eps;    ///< as written; empty: the same at every eps
  std::vector<RobustRows> robust;  ///< at each eps
  bool transferred = false;        ///< made on a surrogate
};

Series attack_series(const AttackedRows& attacked) {
  Series series{attacked.attack, attacked.norm, attacked.eps, {}};
  for (size_t budget = 0; budget < series.eps.size(); ++budget) {
    RobustRows& robust = series.robust.emplace_back();
    for (size_t i = 0; i < attacked.rows.size(); ++i) robust[attacked.rows[i]] = attacked.robust(i, budget);
  }
  series.transferred = attacked.restrictions.surrogate.has_value();
  return series;
}

/// At the eps of the L2 attacks.
Series certified_series(const CertifiedRows& certified, const std::vector<std::string>& eps) {
  Series series{fmt::format("{} (sigma {:g})", kChain[0], certified.sigma), "L2", eps, {}};
  for (const auto& size : eps) {
    const double least = parse_number(size);
    RobustRows& robust = series.robust.emplace_back();
    for (size_t i = 0; i < certified.rows.size(); ++i)
      robust[certified.rows[i]] = certified.radius.at(i) >= least;  // false for NaN
  }
  return series;
}

/// The weakest look: at the images as they are.
Series clean_series(const ImageOutcomes& outcomes) {
  Series series{"clean", "", {}, {{}}};
  for (size_t row = 0; row < outcomes.ids.size(); ++row)
    series.robust[0][static_cast<int64_t>(row)] = outcomes.answers.at(row) == outcomes.labels.at(row);
  return series;
}

/// {n, robust in `a`, robust in `b`} over the images of both.
struct Shared {
  int64_t n = 0, a = 0, b = 0;
};

Shared count_shared(const RobustRows& a, const RobustRows& b) {
  Shared shared;
  for (const auto& [row, robust] : a) {
    const auto other = b.find(row);
    if (other == b.end()) continue;
    ++shared.n;
    shared.a += robust;
    shared.b += other->second;
  }
  return shared;
}

Invariant entry(const std::string& name, const std::string& norm, const std::string& eps, const Shared& shared) {
  const auto n = static_cast<double>(std::max<int64_t>(1, shared.n));
  return {name,
          "",
          norm,
          eps,
          shared.n,
          {static_cast<double>(shared.a) / n, static_cast<double>(shared.b) / n},
          shared.a <= shared.b,
          {}};
}

/// `stronger` leaves no more images robust than `weaker`, wherever both were measured.
void compare(std::vector<Invariant>& list, const Series& stronger, const Series& weaker, const std::string& name) {
  for (size_t i = 0; i < stronger.eps.size(); ++i) {
    const auto same = std::find(weaker.eps.begin(), weaker.eps.end(), stronger.eps[i]);
    if (!weaker.eps.empty() && same == weaker.eps.end()) continue;
    const size_t j = weaker.eps.empty() ? 0 : static_cast<size_t>(same - weaker.eps.begin());
    const Shared shared = count_shared(stronger.robust[i], weaker.robust[j]);
    if (shared.n > 0) list.push_back(entry(name, stronger.norm, stronger.eps[i], shared));
  }
}

void check_monotone(std::vector<Invariant>& list, const Series& series, const std::string& name) {
  for (size_t i = 1; i < series.eps.size(); ++i) {
    list.push_back(entry(name + " falls with eps", series.norm, series.eps[i],
                         count_shared(series.robust[i], series.robust[i - 1])));
  }
}

std::vector<Series> all_series(const ImageOutcomes& outcomes) {
  std::vector<Series> all;
  std::vector<std::string> l2;
  for (const auto& attacked : outcomes.attacks) {
    all.push_back(attack_series(attacked));
    if (attacked.norm == "L2") l2 = attacked.eps;
  }
  for (const auto& certified : outcomes.certified) all.push_back(certified_series(certified, l2));
  if (!outcomes.answers.empty()) all.push_back(clean_series(outcomes));
  return all;
}

/// Its place in the chain; none: an attack that is not part of it.
std::optional<size_t> link(const Series& series) {
  const std::string word = series.name.substr(0, series.name.find(' '));  // a certificate's sigma follows
  const auto found = std::find(kChain.begin(), kChain.end(), word);
  if (found == kChain.end()) return {};
  return static_cast<size_t>(found - kChain.begin());
}

}  // namespace

std::vector<Invariant> check_invariants(const ImageOutcomes& outcomes, const std::string& model) {
  std::vector<Invariant> list;
  const auto all = all_series(outcomes);
  for (const auto& stronger : all) {
    check_monotone(list, stronger, stronger.name);
    const auto place = link(stronger);
    if (!place) continue;
    // The next weaker one that was run in this norm.
    const Series* next = nullptr;
    for (const auto& weaker : all) {
      const auto other = link(weaker);
      // On another network the stronger search need not be the stronger attack.
      if ((stronger.transferred || weaker.transferred) && weaker.name != "clean") continue;
      if (!other || *other <= *place || (!weaker.norm.empty() && weaker.norm != stronger.norm)) continue;
      if (next == nullptr || *other < *link(*next)) next = &weaker;
    }
    if (next != nullptr) compare(list, stronger, *next, fmt::format("{} <= {}", stronger.name, next->name));
  }
  for (auto& invariant : list) {
    invariant.model = model;
    const bool certified = invariant.name.compare(0, kChain[0].size(), kChain[0]) == 0;
    if (certified && !invariant.holds) invariant.note = Message::of("invariants.certified");
  }
  return list;
}

namespace {

Warning violation_of(const Invariant& invariant) {
  const auto& [name, model, norm, eps, n, values, holds, note] = invariant;
  std::string text = fmt::format("{} does not hold at {} eps {}: {:.1f} % against {:.1f} % of the same {} images", name,
                                 norm, eps, 100 * values.at(0), 100 * values.at(1), n);
  if (note) text += "; " + note->text;
  return {model, {kInvariantViolated, {name, norm, eps}, text}};
}

}  // namespace

std::vector<Warning> violations_in(const std::vector<Invariant>& invariants) {
  std::vector<Warning> found;
  for (const auto& invariant : invariants) {
    if (!invariant.holds) found.push_back(violation_of(invariant));
  }
  return found;
}

}  // namespace fercli
