// Losses and gradients against PyTorch's and AutoAttack's values. Tolerance: 2e-5 absolute and relative.
#include "attacks/threat/losses.hpp"
#include "tests/attacks/reference_models.hpp"

namespace fercli::test {

namespace {

constexpr double kTolerance = 2e-5, kGradientTolerance = 1e-5;

class ReferenceLosses : public testing::TestWithParam<const char*> {
 protected:
  torch::Tensor expected(const std::string& key) const {
    return reference_file(fmt::format("cases_{}.pt", GetParam())).at(key);
  }

  ReferenceImages images_ = reference_images("24");
  Classifier model_ = reference_model(GetParam());
  torch::Tensor logits_ = model_.logits(images_.x);
  Goal goal_ = Goal::untargeted(images_.y);
};

TEST_P(ReferenceLosses, LogitsAgree) {
  EXPECT_TRUE(is_close(logits_, expected("logits"), kTolerance, kTolerance));
}

TEST_P(ReferenceLosses, CrossEntropyAndMarginAgree) {
  EXPECT_TRUE(is_close(cross_entropy_loss(logits_, goal_).value.neg(), expected("ce"), kTolerance, kTolerance));
  EXPECT_TRUE(is_close(margin_loss(logits_, goal_).value, expected("margin"), kTolerance, kTolerance));
}

TEST_P(ReferenceLosses, DlrAgrees) {
  EXPECT_TRUE(is_close(dlr_loss(logits_, goal_).value.neg(), expected("dlr"), kTolerance, kTolerance));
}

TEST_P(ReferenceLosses, TargetedDlrAgreesForEveryTarget) {
  for (int64_t target = 0; target < 7; ++target) {
    const auto value = targeted_dlr_loss(logits_, images_.y, torch::full_like(images_.y, target)).value.neg();
    EXPECT_TRUE(is_close(value, expected("dlr_targeted").select(1, target), kTolerance, kTolerance)) << target;
  }
}

TEST_P(ReferenceLosses, TheGradientOfTheSummedCrossEntropyAgrees) {
  const auto line = model_.linearize(images_.x);
  const auto gradient = line.pullback(cross_entropy_loss(line.logits, goal_).gradient).neg();
  const auto reference = expected("grad_ce_sum");
  const double largest = reference.abs().max().item<double>();
  EXPECT_TRUE(is_close(gradient.narrow(0, 0, reference.size(0)), reference, kGradientTolerance + 1e-4 * largest));
}

INSTANTIATE_TEST_SUITE_P(Models, ReferenceLosses, testing::Values("std", "at"),
                         [](const auto& info) { return std::string(info.param); });

TEST(ReferenceLinearModel, LogitsAgreeWithTheClosedForm) {
  const auto model = reference_model("linear");
  for (const std::string set : {"24_soft", "200_soft"}) {
    const auto key = set == "24_soft" ? "linear.soft24.logits" : "linear.soft200.logits";
    EXPECT_TRUE(is_close(model.logits(reference_images(set).x), reference_file("cases_linear.pt").at(key), 1e-4, 1e-5));
  }
}

}  // namespace

}  // namespace fercli::test
