// The fast convolutions against LibTorch's, layer by layer and in every architecture.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>

#include "core/runtime.hpp"
#include "core/step_times.hpp"
#include "models/kernels/fast_conv.hpp"
#include "models/kernels/fused_conv.hpp"
#include "models/kernels/nhwc_kernels.hpp"
#include "models/kernels/winograd.hpp"
#include "models/networks/layers.hpp"
#include "models/networks/network.hpp"
#include "tests/precompiled_tests.hpp"

namespace fercli {

namespace {

struct Case {
  int64_t in, out, kernel, stride, side;
  bool shortcut;
  Activation activation;
  torch::ScalarType type;
};

std::string case_name(const testing::TestParamInfo<Case>& info) {
  const Case& c = info.param;
  return fmt::format("{}_to_{}_kernel_{}_stride_{}_side_{}{}{}_{}", c.in, c.out, c.kernel, c.stride, c.side,
                     c.shortcut ? "_shortcut" : "", c.activation == Activation::Relu ? "_relu" : "",
                     c.type == torch::kFloat32 ? "float32" : "bfloat16");
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const auto type : {torch::kFloat32, torch::kBFloat16}) {
    if (type == torch::kBFloat16 && !cpu_has_bfloat16()) continue;
    const auto relu = Activation::Relu, none = Activation::None;
    all.push_back({1, 16, 5, 2, 48, false, relu, type});   // unfolded
    all.push_back({3, 16, 3, 1, 11, false, relu, type});   // unfolded
    all.push_back({32, 48, 3, 1, 12, true, relu, type});   // joined, and turned round for the way back
    all.push_back({32, 64, 3, 2, 12, false, relu, type});  // joined with stride
    all.push_back({32, 64, 3, 2, 13, false, none, type});
    all.push_back({32, 64, 1, 2, 12, false, none, type});
    all.push_back({32, 24, 5, 1, 7, true, none, type});
    all.push_back({32, 16, 3, 1, 40, false, relu, type});  // too wide to join
    all.push_back({32, 48, 3, 1, 6, true, relu, type});    // Winograd's F(3,3) in float32
    all.push_back({96, 32, 3, 1, 13, false, none, type});  // F(4,4), the last tiles only in part
    all.push_back({16, 7, 1, 1, 9, false, none, type});
  }
  return all;
}

double distance(const torch::Tensor& a, const torch::Tensor& b) {
  const auto x = a.to(torch::kFloat64), y = b.to(torch::kFloat64);
  return ((x - y).norm() / (y.norm() + 1e-12)).item<double>();
}

/// A layer with its input, run in one of the two ways.
class FusedConv : public testing::TestWithParam<Case> {
 protected:
  struct Side {
    std::shared_ptr<Conv> layer;
    torch::Tensor x, shortcut, y;

    void run(bool with_shortcut) { y = with_shortcut ? layer->forward(x, shortcut) : layer->forward(x); }
    void backward() {
      const auto dy = normal_rows(Rng(4), {0}, y.sizes())[0].to(y.scalar_type());
      y.backward(dy.contiguous(torch::MemoryFormat::ChannelsLast));
    }
  };

  torch::Tensor images(int64_t channels, int64_t side, uint64_t seed) const {
    return normal_rows(Rng(seed), {0}, {9, channels, side, side})[0]
        .to(GetParam().type)
        .contiguous(torch::MemoryFormat::ChannelsLast)
        .requires_grad_(true);
  }

  Side make() const {
    const Case& c = GetParam();
    ConvOptions options{c.stride};
    options.activation = c.activation;
    const auto layer = std::make_shared<Conv>(c.in, c.out, c.kernel, options);
    layer->initialise(Rng(1));
    const int64_t out_side = (c.side + 2 * (c.kernel / 2) - c.kernel) / c.stride + 1;
    return {layer, images(c.in, c.side, 2), images(c.out, out_side, 3), {}};
  }

  /// bfloat16 differs where a rounding moves a value through ReLU's corner, which the shortcut's extra rounding does.
  double tolerance() const { return GetParam().type == torch::kFloat32 ? 5e-6 : (GetParam().shortcut ? 0.06 : 0.01); }
};

TEST_P(FusedConv, TrainsAsConvolutionBatchNormAndReluDo) {
  Side plain = make(), fused = make();
  fused.layer->accelerate_training();
  for (Side* side : {&plain, &fused}) {
    side->layer->train();
    side->run(GetParam().shortcut);
    side->backward();
  }
  EXPECT_LT(distance(fused.y, plain.y), tolerance());
  EXPECT_LT(distance(fused.x.grad(), plain.x.grad()), tolerance());
  if (GetParam().shortcut) {
    EXPECT_LT(distance(fused.shortcut.grad(), plain.shortcut.grad()), tolerance());
  }
  for (const auto& entry : plain.layer->named_parameters()) {
    EXPECT_LT(distance(fused.layer->named_parameters()[entry.key()].grad(), entry.value().grad()), tolerance())
        << entry.key();
  }
  for (const auto& entry : plain.layer->named_buffers()) {
    EXPECT_LT(distance(fused.layer->named_buffers()[entry.key()], entry.value()), 1e-5) << entry.key();
  }
}

TEST_P(FusedConv, PreparedForInferenceItHasTheValuesAndGradientsOfTheLayer) {
  Side plain = make(), prepared = make();
  prepared.layer->prepare_inference(GetParam().type);
  for (Side* side : {&plain, &prepared}) {
    side->layer->eval();
    for (auto& parameter : side->layer->parameters()) parameter.set_requires_grad(false);
    side->run(GetParam().shortcut);
    side->backward();
  }
  EXPECT_LT(distance(prepared.y, plain.y), tolerance());
  EXPECT_LT(distance(prepared.x.grad(), plain.x.grad()), tolerance());
  if (GetParam().shortcut) {
    EXPECT_LT(distance(prepared.shortcut.grad(), plain.shortcut.grad()), tolerance());
  }
}

TEST_P(FusedConv, AnImagesBitsHangOnNeitherItsCompanyNorTheThreads) {
  Side side = make();
  side.layer->prepare_inference(GetParam().type);
  side.layer->eval();
  for (auto& parameter : side.layer->parameters()) parameter.set_requires_grad(false);
  const auto pass = [&](int64_t begin, int64_t end) {
    const auto x = side.x.detach().slice(0, begin, end).requires_grad_(true);
    const auto cut = side.shortcut.detach().slice(0, begin, end);
    const auto y = GetParam().shortcut ? side.layer->forward(x, cut) : side.layer->forward(x);
    return std::pair(y.detach(), torch::autograd::grad({y}, {x}, {torch::ones_like(y)})[0]);
  };
  const int threads = at::get_num_threads();
  at::set_num_threads(2);
  const auto together = pass(0, 9);
  for (const int count : {1, 2}) {
    at::set_num_threads(count);
    for (const int64_t n : {2, 5}) {
      const auto apart = pass(3, 3 + n);
      EXPECT_TRUE(at::equal(apart.first, together.first.slice(0, 3, 3 + n))) << n << " images, " << count << " threads";
      EXPECT_TRUE(at::equal(apart.second, together.second.slice(0, 3, 3 + n)))
          << "gradient of " << n << " images, " << count << " threads";
    }
  }
  at::set_num_threads(threads);
}

TEST_P(FusedConv, TellsWhatItsWorkTakes) {
  Side side = make();
  side.layer->accelerate_training();
  side.layer->train();
  StepTimes times;
  {
    const StepCount counted(times);
    side.run(GetParam().shortcut);
    side.backward();
  }
  for (const StepPart part :
       {StepPart::Convolution, StepPart::DataGradient, StepPart::WeightGradient, StepPart::Norm}) {
    EXPECT_EQ(times.of(part) > 0, make_fast_conv({8, 8, 3, 1, 1}) != nullptr) << static_cast<int>(part);
  }
  const StepTimes before = times;
  side.run(GetParam().shortcut);
  EXPECT_EQ(before.seconds, times.seconds) << "nobody counts any more";
}

INSTANTIATE_TEST_SUITE_P(All, FusedConv, testing::ValuesIn(cases()), case_name);

TEST(FusedConvWeights, ChangedInPlaceAreTakenAnew) {
  Conv layer(32, 32, 3);
  layer.initialise(Rng(1));
  layer.train();
  layer.accelerate_training();
  const auto x = torch::ones({2, 32, 8, 8}).contiguous(torch::MemoryFormat::ChannelsLast);
  const auto before = layer.forward(x).detach();
  layer.parameters()[0].data().copy_(normal_rows(Rng(2), {0}, {32, 32, 3, 3})[0]);  // as LibTorch's optimizers write
  EXPECT_GT(distance(layer.forward(x).detach(), before), 0.1);
}

NetworkOptions training_options(const std::string& arch) {
  NetworkOptions options = Registry<Architecture>::instance().get(arch).defaults();
  if (options.settings.count("width")) options.settings["width"] = 8;
  if (options.settings.count("dense")) options.settings["dense"] = 32;
  if (options.settings.count("dropout")) options.settings["dropout"] = 0;  // its mask depends on the layout in memory
  options.size = 32;
  return options;
}

/// All gradients of one training step, flat.
torch::Tensor training_gradient(Network& network, const NetworkOptions& options, torch::ScalarType type) {
  network.train();
  network.zero_grad();
  const auto x = normal_rows(Rng(5), {0}, {6, options.channels, options.size, options.size})[0];
  const auto logits = network.forward(x.to(type).contiguous(torch::MemoryFormat::ChannelsLast));
  (logits.to(torch::kFloat32) * normal_rows(Rng(6), {0}, {6, 7})[0]).sum().backward();
  std::vector<torch::Tensor> gradients;
  for (const auto& parameter : network.parameters()) gradients.push_back(parameter.grad().flatten());
  return torch::cat(gradients);
}

class FastTraining : public testing::TestWithParam<std::string> {};

TEST_P(FastTraining, HasTheGradientOfTheUnfusedNetwork) {
  const auto options = training_options(GetParam());
  const auto network = make_network(GetParam(), options, 3);
  const auto plain = training_gradient(*network, options, torch::kFloat32);
  for (const auto& module : network->modules()) {
    if (auto* layer = dynamic_cast<Layer*>(module.get())) layer->accelerate_training();
  }
  EXPECT_LT(distance(training_gradient(*network, options, torch::kFloat32), plain), 0.02);  // values at ReLU's corner
  if (!cpu_has_bfloat16()) return;
  const auto rough = training_gradient(*network, options, torch::kBFloat16);
  EXPECT_GT(at::cosine_similarity(rough, plain, 0).item<double>(), 0.9);
}

INSTANTIATE_TEST_SUITE_P(All, FastTraining, testing::ValuesIn(Registry<Architecture>::instance().names()),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(NhwcKernels, FoldIsTheTransposeOfUnfold) {
  const Windows windows{2, 7, 6, 3, 2, 1, 4, 3};
  constexpr int64_t kRow = 20;
  const auto image = normal_rows(Rng(1), {0}, {7 * 6 * 2})[0], columns = normal_rows(Rng(2), {0}, {4 * 3 * kRow})[0];
  auto unfolded = torch::empty(4 * 3 * kRow), folded = torch::empty(7 * 6 * 2);
  unfold(image.data_ptr<float>(), windows, kRow, unfolded.data_ptr<float>());
  fold(columns.data_ptr<float>(), windows, kRow, folded.data_ptr<float>());
  EXPECT_NEAR((unfolded * columns).sum().item<double>(), (image * folded).sum().item<double>(), 1e-4);
}

/// The 3x3 convolution of one image, computed tile by tile as `tiles` says. x (h,w,in), kernels (out,3,3,in)
/// -> (h,w,out), bias, shortcut and ReLU included.
torch::Tensor by_winograd(const torch::Tensor& x, const torch::Tensor& kernels, bool turned, const WinogradTiles& tiles,
                          const torch::Tensor& bias, const torch::Tensor& shortcut) {
  constexpr int64_t kGap = 5;
  const int64_t in = x.size(2), out = kernels.size(0), size = tiles.count() * in;
  auto v = torch::full({tiles.planes(), size + kGap}, std::nanf("")), u = torch::empty({tiles.planes(), out, in});
  winograd_input(x.data_ptr<float>(), tiles, in, v.data_ptr<float>(), size + kGap);
  for (const auto& range : {std::pair<int64_t, int64_t>{0, 2}, {2, out}}) {
    winograd_weights(kernels.data_ptr<float>(), turned, tiles.m, out, in, range.first, range.second,
                     u.data_ptr<float>());
  }
  const auto values = v.narrow(1, 0, size).reshape({tiles.planes(), tiles.count(), in});
  const auto products = at::bmm(values, u.transpose(1, 2)).contiguous();
  auto y = torch::empty({tiles.height, tiles.width, out});
  winograd_output(products.data_ptr<float>(), tiles.count() * out, tiles, out, bias.data_ptr<float>(),
                  shortcut.defined() ? shortcut.data_ptr<float>() : nullptr, shortcut.defined(), y.data_ptr<float>());
  return y;
}

TEST(Winograd, IsTheConvolutionForEverySide) {
  for (const int64_t m : {3, 4}) {
    for (int64_t side = 1; side <= 14; ++side) {
      const WinogradTiles tiles{m, side, side + 2};
      const auto x = normal_rows(Rng(side), {0}, {tiles.height, tiles.width, 70})[0];  // more than one chunk of 64
      const auto kernels = normal_rows(Rng(side + 20), {0}, {5, 3, 3, 70})[0], bias = normal_rows(Rng(1), {0}, {5})[0];
      const auto shortcut = normal_rows(Rng(2), {0}, {tiles.height, tiles.width, 5})[0];
      for (const bool turned : {false, true}) {
        auto weight = kernels.permute({0, 3, 1, 2}).to(torch::kFloat64);
        if (turned) weight = weight.flip({2, 3});
        const auto image = x.permute({2, 0, 1}).unsqueeze(0).to(torch::kFloat64);
        const auto y = at::conv2d(image, weight, bias.to(torch::kFloat64), 1, 1)[0].permute({1, 2, 0});
        EXPECT_LT(distance(by_winograd(x, kernels, turned, tiles, bias, {}), y), 5e-6) << m << ", side " << side;
        EXPECT_LT(distance(by_winograd(x, kernels, turned, tiles, bias, shortcut), (y + shortcut).relu()), 5e-6);
      }
    }
  }
}

TEST(Winograd, TakesTheTilesWithTheFewestMultiplications) {
  EXPECT_EQ(WinogradTiles::of(24, 24).m, 4);
  EXPECT_EQ(WinogradTiles::of(6, 6).m, 3);
  EXPECT_EQ(WinogradTiles::of(5, 5).m, 3);
  EXPECT_EQ(WinogradTiles::of(4, 4).m, 4);
}

TEST(Winograd, NotANumberStaysOne) {
  auto x = torch::zeros({6, 6, 32});
  x[2][3][5] = std::nan("");
  const WinogradTiles tiles = WinogradTiles::of(6, 6);
  const auto y = by_winograd(x, torch::ones({4, 3, 3, 32}), false, tiles, torch::zeros(4), torch::zeros({6, 6, 4}));
  EXPECT_TRUE(y[2][3].isnan().all().item<bool>());
}

/// Verdicts are given without gradients.
TEST(Winograd, IsUsedWhereGradientsAreAndNotForVerdicts) {
  if (!make_fast_conv({64, 64, 3, 1, 1})) GTEST_SKIP() << "built without oneDNN";
  Conv layer(64, 64, 3);
  layer.initialise(Rng(1));
  layer.eval();
  for (auto& parameter : layer.parameters()) parameter.set_requires_grad(false);
  const auto x = normal_rows(Rng(2), {0}, {2, 64, 12, 12})[0].contiguous(torch::MemoryFormat::ChannelsLast);
  const auto exact = layer.forward(x.to(torch::kFloat32));
  layer.prepare_inference(torch::kFloat32);
  const auto verdict = layer.forward(x), search = layer.forward(x.clone().requires_grad_(true)).detach();
  EXPECT_LT(distance(verdict, exact), 1e-6);
  EXPECT_FALSE(at::equal(search, verdict));
  EXPECT_LT(distance(search, verdict), 5e-6);
  {
    const QuickRounding quick;
    EXPECT_TRUE(at::equal(layer.forward(x), search));
  }
  EXPECT_TRUE(at::equal(layer.forward(x), verdict));
}

TEST(NhwcKernels, Bfloat16RoundsAsLibTorchDoes) {
  const auto x = torch::cat({normal_rows(Rng(1), {0}, {300})[0] * 1e3,
                             torch::tensor({0.0, -0.0, 1e-40, 3.4e38, std::nan("")}, torch::kFloat32)});
  const auto identity = torch::ones(1);
  const auto expected = x.to(torch::kBFloat16);
  auto rounded = torch::empty_like(expected);
  const auto third = torch::full({1}, 1.0 / 3);
  scale_and_shift(static_cast<const Bf16*>(expected.data_ptr()), identity.data_ptr<float>(), third.data_ptr<float>(),
                  static_cast<const Bf16*>(nullptr), false, static_cast<Bf16*>(rounded.data_ptr()), expected.numel(),
                  1);
  EXPECT_TRUE(at::allclose(rounded, (expected.to(torch::kFloat32) + third).to(torch::kBFloat16), 0, 0, true));
}

}  // namespace

}  // namespace fercli
