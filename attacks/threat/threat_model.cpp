#include "attacks/threat/threat_model.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/text.hpp"

namespace fercli {

const char* to_string(Norm norm) {
  switch (norm) {
    case Norm::Linf:
      return "Linf";
    case Norm::L2:
      return "L2";
    case Norm::L1:
      return "L1";
    case Norm::L0:
      return "L0";
  }
  return "";
}

Norm parse_norm(const std::string& word) {
  for (const Norm norm : {Norm::Linf, Norm::L2, Norm::L1, Norm::L0}) {
    if (to_lower(word) == to_lower(to_string(norm))) return norm;
  }
  throw UserError(fmt::format("unknown norm '{}' (known: linf, l2, l1, l0)", word));
}

torch::Tensor row_sums(const torch::Tensor& values) {
  // In two stages: a sum of many numbers into one (a batch of one image) would be split among the threads.
  return values.sum(-1).flatten(1).sum(1);
}

torch::Tensor row_norms(const torch::Tensor& delta, Norm norm) {
  if (norm == Norm::Linf) return delta.abs().flatten(1).amax(1).to(torch::kFloat64);
  const auto values = delta.to(torch::kFloat64);
  if (norm == Norm::L2) return row_sums(values.square()).sqrt();
  return row_sums(norm == Norm::L1 ? values.abs() : values.ne(0).to(torch::kFloat64));
}

torch::Tensor ThreatModel::eps_rows(int64_t n) const {
  const auto rows =
      eps_per_image.defined() ? eps_per_image.to(torch::kFloat64) : torch::full({n}, eps, torch::kFloat64);
  if (rows.dim() != 1 || rows.size(0) != n) {
    throw UserError(fmt::format("threat model: {} values of eps for {} images", rows.numel(), n));
  }
  if (n == 0) return rows;
  const double low = rows.min().item<double>(), high = rows.max().item<double>();
  if (!(low > 0)) throw UserError(fmt::format("threat model: eps {:g}: must be above 0", low));
  if (norm == Norm::Linf && !(high <= 1)) {
    throw UserError(fmt::format("threat model: eps {:g}: must be at most 1 in Linf; pixels are scaled to [0,1]", high));
  }
  if (norm == Norm::L0 && !(low >= 1)) {
    throw UserError(fmt::format("threat model: eps {:g}: must be at least 1 in L0, the number of changed values", low));
  }
  if (!std::isfinite(high)) throw UserError("threat model: eps must be finite");
  return rows;
}

Goal Goal::untargeted(torch::Tensor y) {
  return Goal(std::move(y), false);
}

Goal Goal::targeted(torch::Tensor target) {
  return Goal(std::move(target), true);
}

torch::Tensor Goal::reached(const torch::Tensor& logits) const {
  const auto predicted = logits.argmax(1);
  const auto wanted = targeted_ ? predicted.eq(labels_) : predicted.ne(labels_);
  return wanted.logical_and(logits.isnan().any(1).logical_not());
}

torch::Tensor Goal::probability(const torch::Tensor& logits) const {
  const auto of_label = logits.softmax(1).gather(1, labels_.unsqueeze(1)).squeeze(1);
  return targeted_ ? of_label : 1 - of_label;
}

Goal Goal::select(const torch::Tensor& rows) const {
  return Goal(labels_.index_select(0, rows), targeted_);
}

Goal Goal::narrow(int64_t start, int64_t length) const {
  return Goal(labels_.narrow(0, start, length), targeted_);
}

}  // namespace fercli
