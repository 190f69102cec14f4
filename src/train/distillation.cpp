#include "train/distillation.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/error.hpp"

namespace fercli {

Distillation::Distillation(std::vector<Teacher> teachers, const LabelSet& classes, double temperature, double share)
    : teachers_(std::move(teachers)), temperature_(temperature), share_(share) {
  for (const auto& teacher : teachers_) {
    const auto order = teacher.network.classes().mapping_from(classes);
    for (size_t k = 0; k < order.size(); ++k) {
      if (order[k] >= 0) continue;
      throw UserError(
          fmt::format("--teacher {}: does not know the class {}", teacher.name, classes.name(static_cast<int64_t>(k))));
    }
    orders_.push_back(torch::tensor(order, torch::kInt64));
  }
}

torch::Tensor Distillation::targets(const torch::Tensor& x, const torch::Tensor& target) const {
  auto soft = torch::zeros({x.size(0), target.size(1)});
  for (size_t i = 0; i < teachers_.size(); ++i) {
    soft += at::softmax(teachers_[i].network.logits(x).index_select(1, orders_[i]) / temperature_, 1);
  }
  return share_ / static_cast<double>(teachers_.size()) * soft.to(target.device()) + (1 - share_) * target;
}

nlohmann::json Distillation::to_json() const {
  std::vector<std::string> digests;
  for (const auto& teacher : teachers_) digests.push_back(teacher.digest);
  nlohmann::json json = {{"temperature", temperature_}, {"share", share_}};
  json["sha256"] = digests.size() == 1 ? nlohmann::json(digests[0]) : nlohmann::json(digests);
  return json;
}

}  // namespace fercli
