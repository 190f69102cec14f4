#include "attacks/engine/mixture.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

#include "core/error.hpp"
#include "core/random.hpp"
#include "core/text.hpp"
#include "data/image.hpp"
#include "models/networks/model.hpp"

namespace fercli {

namespace {

constexpr double kMostTurned = 5, kMostScaled = 0.05, kCameraNoise = 0.02;
constexpr int64_t kJpegQuality = 75;

/// A view whose classes are in the mixture's order.
struct OrderedView {
  MixedView view;
  torch::Tensor order;  ///< (K) int64: its number of each class
};

class MixtureExecutor : public Executor {
 public:
  MixtureExecutor(std::vector<OrderedView> views, Joining joining) : views_(std::move(views)), joining_(joining) {}

  torch::Tensor logits(const torch::Tensor& input) const override {
    const torch::NoGradGuard no_grad;
    std::vector<torch::Tensor> answers;
    for (const auto& [view, order] : views_) {
      answers.push_back(view.network->logits(changed(view, input)).index_select(1, order));
    }
    return joined(answers);
  }

  Pass run(const torch::Tensor& input, bool keep) const override {
    const torch::AutoGradMode with_grad(true);
    std::vector<torch::Tensor> from, seen, answers;
    std::vector<Linearization> lines;
    for (const auto& [view, order] : views_) {
      from.push_back(input.detach().requires_grad_(true));
      seen.push_back(changed(view, from.back()));
      lines.push_back(view.network->linearize(seen.back().detach(), keep));
      answers.push_back(lines.back().logits.index_select(1, order).requires_grad_(true));
    }
    const auto together = joined(answers);
    return {together.detach(), [=](const torch::Tensor& dlogits) {
              const auto shares = joining_ == Joining::Margin
                                      ? shares_of_farthest(answers, dlogits)
                                      : torch::autograd::grad({together}, answers, {dlogits}, /*retain_graph=*/true);
              auto sum = torch::zeros_like(input);
              for (size_t i = 0; i < views_.size(); ++i) {
                const auto of_view = torch::zeros_like(lines[i].logits).index_copy(1, views_[i].order, shares[i]);
                const auto at_view = lines[i].pullback(of_view);
                sum +=
                    views_[i].view.change ? torch::autograd::grad({seen[i]}, {from[i]}, {at_view}, keep)[0] : at_view;
              }
              return sum;
            }};
  }

 private:
  /// dlogits (N,K) for the view that is farthest from the goal of an image, 0 for the others.
  static std::vector<torch::Tensor> shares_of_farthest(const std::vector<torch::Tensor>& answers,
                                                       const torch::Tensor& dlogits) {
    const auto farthest = (torch::stack(answers).detach() * dlogits).sum(2).argmax(0);
    std::vector<torch::Tensor> shares;
    for (size_t i = 0; i < answers.size(); ++i) {
      shares.push_back(dlogits * farthest.eq(static_cast<int64_t>(i)).unsqueeze(1));
    }
    return shares;
  }

  static torch::Tensor changed(const MixedView& view, const torch::Tensor& x) {
    return view.change ? view.change(x) : x;
  }

  torch::Tensor joined(const std::vector<torch::Tensor>& answers) const {
    const auto all = torch::stack(answers);
    return (joining_ == Joining::Loss ? at::log_softmax(all, 2) : all).mean(0);
  }

  std::vector<OrderedView> views_;
  Joining joining_;
};

/// Takes pixels, which bfloat16 would round, in float32; each network computes in the arithmetic that it came with.
class MixtureModel : public Model {
 public:
  MixtureModel(std::vector<OrderedView> views, Joining joining) : views_(std::move(views)), joining_(joining) {}

  bool supports(const Execution& execution) const override { return execution.precision == Precision::Float32; }

 private:
  std::shared_ptr<const Executor> make_executor(const Execution& /*execution*/) const override {
    return std::make_shared<MixtureExecutor>(views_, joining_);
  }

  std::vector<OrderedView> views_;
  Joining joining_;
};

/// x (N,C,H,W) turned and scaled about its middle; what comes in from outside repeats the edge.
torch::Tensor placed(const torch::Tensor& x, double degrees, double scale) {
  const double angle = degrees * M_PI / 180, c = std::cos(angle) / scale, s = std::sin(angle) / scale;
  const auto places = torch::tensor({c, -s, 0.0, s, c, 0.0}, torch::kFloat64).view({1, 2, 3}).to(x.scalar_type());
  const auto grid = at::affine_grid_generator(places.expand({x.size(0), 2, 3}), x.sizes(), /*align_corners=*/false);
  constexpr int64_t kBilinear = 0, kBorder = 1;
  return at::grid_sampler(x.contiguous(), grid, kBilinear, kBorder, /*align_corners=*/false);
}

/// As JPEG files hold it; the gradient is that of no change.
torch::Tensor saved_as_jpeg(const torch::Tensor& x) {
  const auto pixels = (x.detach().clamp(0, 1) * 255).round().to(torch::kUInt8).contiguous();
  auto saved = torch::empty_like(pixels);
  for (int64_t i = 0; i < x.size(0); ++i) {
    saved[i].copy_(decode_image(encode_jpeg(pixels[i], kJpegQuality), x.size(1), "JPEG"));
  }
  return x + (saved.to(x.scalar_type()) / 255 - x).detach();
}

}  // namespace

Joining parse_joining(const std::string& word) {
  if (word == "logits") return Joining::Logits;
  if (word == "loss") return Joining::Loss;
  if (word == "margin") return Joining::Margin;
  throw UserError(fmt::format("--ensemble {}: must be logits, loss or margin", word));
}

Classifier mixture(const std::vector<MixedView>& views, Joining joining, const std::vector<int64_t>& shape) {
  if (views.empty()) throw UserError("a mixture needs at least one network");
  const Classifier& first = *views.front().network;
  std::vector<OrderedView> ordered;
  for (const auto& view : views) {
    const auto& classes = view.network->classes();
    const auto order = torch::tensor(classes.mapping_from(first.classes()), torch::kInt64);
    if (order.min().item<int64_t>() < 0) {
      throw UserError(fmt::format("--surrogate: the networks have other classes: {} and {}",
                                  join(first.classes().names(), ", "), join(classes.names(), ", ")));
    }
    ordered.push_back({view, order});
  }
  NetworkSpec spec{"mixture", first.options(), {shape.at(0), shape.at(1), {0.0}, {1.0}, shape.at(2)}, first.classes()};
  return Classifier(std::make_shared<MixtureModel>(std::move(ordered), joining), std::move(spec),
                    {Precision::Float32, first.device()});
}

std::vector<MixedView> expectation_over(const std::string& what, int64_t draws,
                                        std::shared_ptr<const Classifier> network, uint64_t seed) {
  std::vector<MixedView> views;
  for (int64_t i = 0; i < draws; ++i) {
    MixedView view{network};
    if (what == "camera") {
      const Rng rng = Rng(seed).split("eot").split(static_cast<uint64_t>(i));
      const auto drawn = uniform_rows(rng, {0}, {2});
      const double degrees = kMostTurned * drawn[0][0].item<double>();
      const double scale = 1 + kMostScaled * drawn[0][1].item<double>();
      view.change = [=](const torch::Tensor& x) {
        const auto noise = normal_rows(rng.split("noise"), {0}, x.sizes().slice(1)) * kCameraNoise;
        return (saved_as_jpeg(placed(x, degrees, scale)) + noise).clamp(0, 1);
      };
    } else if (what != "model") {
      throw UserError(fmt::format("--eot-over {}: must be model or camera", what));
    }
    views.push_back(std::move(view));
  }
  return views;
}

}  // namespace fercli
