// Interval bounds through networks that learn: no point of the box beyond them, and the images themselves as ever.
#include "models/networks/bound_pass.hpp"

#include <ATen/ATen.h>

#include "core/random.hpp"
#include "models/networks/layers.hpp"
#include "models/networks/network.hpp"
#include "tests/precompiled_tests.hpp"

namespace fercli {

namespace {

constexpr int64_t kImages = 4, kClasses = 3;

std::vector<int64_t> first_rows(int64_t count) {
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < count; ++i) rows.push_back(i);
  return rows;
}

class BoundPasses : public testing::TestWithParam<std::string> {
 protected:
  BoundPasses() {
    NetworkOptions options = Registry<Architecture>::instance().get(GetParam()).defaults();
    options.classes = kClasses;
    options.channels = 1;
    options.size = smallest_side(GetParam(), options) + 8;
    if (options.settings.count("width") > 0) options.settings["width"] = 4;
    options_ = options;
    network_ = make();
    x_ = normal_rows(Rng(3), first_rows(kImages), {1, options.size, options.size});
  }

  std::shared_ptr<Network> make() const { return make_network(GetParam(), options_, 5); }

  torch::Tensor boxes(double reach) const { return torch::cat({x_, x_ - reach, x_ + reach}); }

  NetworkOptions options_;
  std::shared_ptr<Network> network_;
  torch::Tensor x_, labels_ = torch::tensor({0, 1, 2, 1}, torch::kInt64);
};

TEST_P(BoundPasses, HoldAtEveryPoint) {
  network_->eval();
  const torch::NoGradGuard no_grad;
  for (const double reach : {1e-3, 0.05}) {
    torch::Tensor worst;
    {
      const BoundPass pass(*network_, labels_);
      worst = pass.worst_logits(network_->forward(boxes(reach)));
    }
    EXPECT_TRUE(worst.gather(1, labels_.unsqueeze(1)).eq(0).all().item<bool>());
    for (uint64_t draw = 0; draw < 20; ++draw) {
      const auto noise = uniform_rows(Rng(draw), first_rows(kImages), x_.sizes().slice(1));
      const auto logits = network_->forward(x_ + reach * (draw % 2 == 0 ? noise.sign() : noise));
      const auto margins = logits - logits.gather(1, labels_.unsqueeze(1));
      EXPECT_TRUE((margins <= worst + 1e-4 * (1 + worst.abs())).all().item<bool>());
    }
  }
}

TEST_P(BoundPasses, OfABoxOfNoSizeAreTheLogits) {
  network_->eval();
  const torch::NoGradGuard no_grad;
  const auto logits = network_->forward(x_);
  const BoundPass pass(*network_, labels_);
  const auto worst = pass.worst_logits(network_->forward(boxes(0)));
  EXPECT_TRUE(at::allclose(worst, logits - logits.gather(1, labels_.unsqueeze(1)), 1e-3, 1e-3));
}

/// Dropout aside, which rests.
TEST_P(BoundPasses, LeaveTheImagesAndTheStatisticsAsTheyAreWithout) {
  const auto plain = make();
  for (const auto& network : {network_, plain}) {
    network->eval();
    for (const auto& module : network->modules()) {
      if (std::dynamic_pointer_cast<Layer>(module)) module->train();
    }
  }
  const auto expected = plain->forward(x_);
  {
    const BoundPass pass(*network_, labels_);
    const auto answers = network_->forward(boxes(0.02));
    EXPECT_TRUE(at::allclose(answers.narrow(0, 0, kImages), expected, 1e-3, 1e-3));
  }
  for (const auto& buffer : plain->named_buffers()) {
    EXPECT_TRUE(at::allclose(network_->named_buffers()[buffer.key()], buffer.value(), 1e-4, 1e-5)) << buffer.key();
  }
}

TEST_P(BoundPasses, EndWithEveryModuleInTheModeItWasIn) {
  network_->train();
  const auto modules = network_->modules();
  modules.back()->eval();  // as a frozen layer is
  std::vector<bool> before, after;
  for (const auto& module : modules) before.push_back(module->is_training());
  {
    const BoundPass pass(*network_, labels_);
    EXPECT_EQ(BoundPass::active(), &pass);
  }
  EXPECT_EQ(BoundPass::active(), nullptr);
  for (const auto& module : modules) after.push_back(module->is_training());
  EXPECT_EQ(before, after);
}

INSTANTIATE_TEST_SUITE_P(All, BoundPasses, testing::Values("mini-xception", "resnet", "resnet18", "small-cnn"),
                         [](const auto& info) {
                           auto name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace

}  // namespace fercli
