#pragma once

#include <optional>
#include <string>
#include <vector>

#include "eval/image_outcomes.hpp"
#include "record/message.hpp"

namespace fercli {

/// What must hold on the same images if the attacks are as strong as they should be:
///
/// certified <= autoattack <= pgd <= fgsm <= clean at each eps that two neighbours of this row share (certified: in
/// L2); robust accuracy falls as eps grows; the certified share falls as the radius grows
struct Invariant {
  std::string name, model, norm, eps;
  int64_t n = 0;
  std::vector<double> values;
  bool holds = true;
  std::optional<Message> note;
};

template <class Visitor>
void visit_fields(Visitor& field, Invariant& invariant) {
  field("name", invariant.name, "\"pgd <= fgsm\"");
  field("model", invariant.model);
  field("norm", invariant.norm);
  field("eps", invariant.eps);
  field("n", invariant.n, "images that both were measured on");
  field("values", invariant.values, "shares of them, the left side first", shape::pair(shape::share()));
  field("holds", invariant.holds);
  field.optional("note", invariant.note, "why a violation need not be a mistake");
}

std::vector<Invariant> check_invariants(const ImageOutcomes& outcomes, const std::string& model);

/// Of those that do not hold, with the key `kInvariantViolated`: "autoattack <= pgd does not hold at Linf eps 4/255:
/// 12.0 % against 11.5 % of the same 200 images".
std::vector<Warning> violations_in(const std::vector<Invariant>& invariants);

}  // namespace fercli
