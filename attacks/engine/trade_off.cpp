#include "attacks/engine/trade_off.hpp"

#include "core/numbers.hpp"

namespace fercli {

namespace {

constexpr double kFirst = 1e-3, kFactor = 10;
constexpr int64_t kDescents = 9;
constexpr double kCheckpoints = 10, kPatience = 2, kProgress = 0.9999;

torch::Tensor filled(int64_t images, double value) {
  return torch::full({images}, value, torch::kFloat64);
}

}  // namespace

TradeOff::TradeOff(int64_t images, int64_t steps, End end)
    : steps_(steps),
      end_(end),
      constant_(filled(images, kFirst)),
      low_(filled(images, 0)),
      high_(filled(images, kInfinity)),
      step_(filled(images, 0)),
      descent_(filled(images, 0)),
      checked_loss_(filled(images, kInfinity)),
      idle_(filled(images, 0)),
      found_(torch::zeros({images}, torch::kBool)) {}

torch::Tensor TradeOff::advance(const torch::Tensor& loss_before, const torch::Tensor& reached) {
  const auto loss = loss_before.to(torch::kFloat64);
  found_ = found_.logical_or(reached);
  const auto check = step_.remainder(std::ceil(static_cast<double>(steps_) / kCheckpoints)).eq(0);
  const auto idle = end_ == End::NotMoving ? loss.eq(checked_loss_) : loss.gt(checked_loss_ * kProgress);
  idle_ = torch::where(check, (idle_ + 1).masked_fill(idle.logical_not(), 0), idle_);
  checked_loss_ = torch::where(check, loss, checked_loss_);
  step_ = step_ + 1;
  const auto ended = idle_.ge(kPatience).logical_or(step_.ge(static_cast<double>(steps_)));

  high_ = torch::where(ended.logical_and(found_), constant_, high_);
  low_ = torch::where(ended.logical_and(found_.logical_not()), constant_, low_);
  const auto next = torch::where(high_.isinf(), constant_ * kFactor, (low_ + high_) / 2);
  constant_ = torch::where(ended, next, constant_);
  step_ = step_.masked_fill(ended, 0);
  checked_loss_ = checked_loss_.masked_fill(ended, kInfinity);
  idle_ = idle_.masked_fill(ended, 0);
  found_ = found_.masked_fill(ended, false);
  descent_ = descent_ + ended.to(torch::kFloat64);
  return ended;
}

torch::Tensor TradeOff::finished() const {
  return descent_.ge(static_cast<double>(std::min(kDescents, steps_)));
}

Approach::State TradeOff::state(Approach::State more) {
  more.insert(more.end(), {&constant_, &low_, &high_, &step_, &descent_, &checked_loss_, &idle_, &found_});
  return more;
}

}  // namespace fercli
