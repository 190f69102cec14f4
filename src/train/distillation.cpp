#include "train/distillation.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/error.hpp"

namespace fercli {

Distillation::Distillation(Classifier teacher, const LabelSet& classes, double temperature, double share,
                           std::string digest)
    : teacher_(std::move(teacher)), temperature_(temperature), share_(share), digest_(std::move(digest)) {
  const auto order = teacher_.classes().mapping_from(classes);
  for (size_t k = 0; k < order.size(); ++k) {
    if (order[k] >= 0) continue;
    throw UserError(fmt::format("--teacher: does not know the class {}", classes.name(static_cast<int64_t>(k))));
  }
  order_ = torch::tensor(order, torch::kInt64);
}

torch::Tensor Distillation::targets(const torch::Tensor& x, const torch::Tensor& target) const {
  const auto logits = teacher_.logits(x).index_select(1, order_);
  const auto soft = at::softmax(logits / temperature_, 1).to(target.device());
  return share_ * soft + (1 - share_) * target;
}

nlohmann::json Distillation::to_json() const {
  return {{"sha256", digest_}, {"temperature", temperature_}, {"share", share_}};
}

}  // namespace fercli
