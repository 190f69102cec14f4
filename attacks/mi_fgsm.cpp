// Momentum iterative FGSM: steps follow the accumulated gradients, which carries over to other networks better.
// Dong et al., "Boosting adversarial attacks with momentum", arXiv:1710.06081, alg. 1; L2: eq. 8, projected.
//
// Default: 10 steps of eps / steps, decay 1, on the cross-entropy, from the original, as in the paper. Deviations: the
// network sees the image that an 8-bit file would hold, and the best image is returned, not the last. Deterministic:
// restarts and random_start are not used. Searches in bfloat16: a mean of gradients is less sensitive still than one.
//
// Four settings of later papers on transfer, each off unless asked for; they go together:
//   scales        SI: the mean of the gradients at x, x / 2, x / 4 … (Lin et al., arXiv:1908.06281)
//   diversity     DI: with this probability the network sees the image shrunk by up to a tenth, somewhere on black (Xie
//                 et al., arXiv:1803.06978, as torchattacks has it: there the image is enlarged)
//   translation   TI: the gradient is smoothed by a Gaussian of so many pixels, three standard deviations to each side
//                 (Dong et al., arXiv:1904.02884)
//   neighbours    VMI: what the gradients at so many random neighbours differ by is added at the next step (Wang & He,
//                 arXiv:2103.15571), drawn from [-spread eps, spread eps]; in L2 as long as that on average
// Their noise is keyed by image and step.
#include <ATen/ATen.h>
#include <fmt/format.h>
#include <torch/autograd.h>

#include "attacks/engine/descent.hpp"
#include "attacks/engine/hyperplane.hpp"
#include "attacks/engine/search.hpp"
#include "core/error.hpp"
#include "core/random.hpp"

namespace fercli::mi_fgsm_attack {

namespace {

constexpr double kMostShrunk = 0.1;

/// Each image with this probability shrunk by up to a tenth and put somewhere on black. x: (M,C,H,W).
torch::Tensor diversified(const torch::Tensor& x, double probability, const Rng& rng,
                          const std::vector<int64_t>& index) {
  const auto draws = uniform_rows(rng, index, {4}).to(torch::kFloat64).add(1).div(2);  // [0,1)
  const auto chosen = over_pixels(draws.select(1, 0).lt(probability));
  const auto share = 1 - kMostShrunk * draws.select(1, 1);
  auto places = torch::zeros({x.size(0), 2, 3}, torch::kFloat64);
  for (int64_t axis = 0; axis < 2; ++axis) {  // x, then y
    const auto side = static_cast<double>(x.size(3 - axis));
    const auto width = (share * side).floor();
    const auto begin = (draws.select(1, 2 + axis) * (side - width + 1)).floor();
    places.select(1, axis).select(1, axis).copy_(side / width);
    places.select(1, axis).select(1, 2).copy_(-(2 * begin / side + width / side - 1) * side / width);
  }
  const auto grid = at::affine_grid_generator(places.to(x.scalar_type()), x.sizes(), /*align_corners=*/false);
  constexpr int64_t kBilinear = 0, kZeros = 0;
  return torch::where(chosen, at::grid_sampler(x, grid, kBilinear, kZeros, /*align_corners=*/false), x);
}

/// Every channel smoothed by a Gaussian of `side` x `side` pixels.
torch::Tensor smoothed(const torch::Tensor& gradient, int64_t side) {
  const auto line = torch::linspace(-3, 3, side, torch::kFloat64).square().div(-2).exp();
  const auto kernel = (line / line.sum()).to(torch::kFloat32);
  const int64_t channels = gradient.size(1);
  const auto along = [&](const torch::Tensor& x, bool rows) {
    const auto weight = rows ? kernel.view({1, 1, 1, side}) : kernel.view({1, 1, side, 1});
    const auto padding = rows ? std::vector<int64_t>{0, side / 2} : std::vector<int64_t>{side / 2, 0};
    return at::conv2d(x, weight.expand({channels, 1, -1, -1}), {}, /*stride=*/1, padding, /*dilation=*/1, channels);
  };
  return along(along(gradient, true), false);
}

class MiFgsm : public Descent {
 public:
  explicit MiFgsm(const AttackSetup& setup)
      : Descent(setup, 1.0),
        scales_(values().whole("scales")),
        translation_(values().whole("translation")),
        neighbours_(values().whole("neighbours")),
        diversity_(values().number("diversity")),
        spread_(values().number("spread")) {
    if (translation_ > 0 && translation_ % 2 == 0) {
      throw UserError(fmt::format("mi-fgsm: translation={}: must be odd, or 0", translation_));
    }
  }

 private:
  torch::Tensor slope(Search& search, torch::Tensor& x_adv, Memory& memory, const Rng& rng) const override {
    if (scales_ == 1 && diversity_ == 0 && neighbours_ == 0) {
      const auto gradient = Descent::slope(search, x_adv, memory, rng);
      return translation_ > 1 && search.size() > 0 ? smoothed(gradient, translation_) : gradient;
    }
    search.scores(x_adv, {&memory.velocity, &memory.variance});
    if (search.size() == 0) return x_adv;
    auto gradient = over_views(search, x_adv, rng);
    if (neighbours_ == 0) return gradient;
    auto tuned = gradient + memory.variance;
    auto sum = torch::zeros_like(gradient);
    for (int64_t number = 0; number < neighbours_; ++number) {
      const Rng own = rng.split("neighbour").split(static_cast<uint64_t>(number));
      sum += over_views(search, neighbour(search, x_adv, own), own);
    }
    memory.variance = sum / static_cast<double>(neighbours_) - gradient;
    return tuned;
  }

  torch::Tensor neighbour(const Search& search, const torch::Tensor& x_adv, const Rng& rng) const {
    const auto noise = uniform_rows(rng, search.index(), x_adv[0].sizes());
    auto width = search.ball().eps() * spread_;
    if (search.ball().norm() == Norm::L2) width = width * std::sqrt(3.0 / static_cast<double>(x_adv[0].numel()));
    return x_adv + noise * over_pixels(width).to(torch::kFloat32);
  }

  /// The mean of the gradients at the scaled images, each seen as `diversity` has it, smoothed.
  torch::Tensor over_views(const Search& search, const torch::Tensor& points, const Rng& rng) const {
    const auto everyone = torch::arange(search.size());
    auto sum = torch::zeros_like(points);
    for (int64_t scale = 0; scale < scales_; ++scale) {
      const auto leaf = points.detach().requires_grad_(true);
      torch::Tensor seen;
      {
        const torch::AutoGradMode with_gradient(true);
        seen = leaf / std::exp2(static_cast<double>(scale));
        if (diversity_ > 0) {
          const Rng own = rng.split("view").split(static_cast<uint64_t>(scale));
          seen = diversified(seen, diversity_, own, search.index());
        }
      }
      const auto look = search.explore(everyone, seen.detach());
      const auto of_seen = look.pullback(loss()(look.logits, search.goal()).gradient);
      sum += torch::autograd::grad({seen}, {leaf}, {of_seen})[0];
    }
    const auto mean = sum / static_cast<double>(scales_);
    return translation_ > 1 ? smoothed(mean, translation_) : mean;
  }

  int64_t scales_, translation_, neighbours_;
  double diversity_, spread_;
};

const Register<AttackEntry> registered{
    {"mi-fgsm",
     "small steps along the sign of accumulated gradients, from the original",
     Access::Gradients,
     {Norm::Linf, Norm::L2},
     true,
     true,
     "steps x (forward + backward) + 1 forward, until solved",
     "Dong et al., arXiv:1710.06081",
     [](const AttackSetup& setup) -> std::unique_ptr<Attack> { return std::make_unique<MiFgsm>(setup); },
     {shared_parameter("steps", "10"), shared_parameter("alpha"), shared_parameter("loss", "ce"),
      Parameter::number("decay", "1", at_least(0), "what the gradients before count at each further step"),
      Parameter::whole("scales", "1", between(1, 16), "SI: the mean gradient at so many halvings of the image"),
      Parameter::number("diversity", "0", between(0, 1), "DI: probability of a random shrinking and shift"),
      Parameter::whole("translation", "0", between(0, 31), "TI: side of the Gaussian that smooths gradients, odd"),
      Parameter::whole("neighbours", "0", between(0, 1000), "VMI: neighbours whose gradients tune the next step"),
      Parameter::number("spread", "1.5", above(0), "VMI: how far they lie, as a share of eps"), confidence_parameter()},
     Precision::BFloat16}};

}  // namespace

}  // namespace fercli::mi_fgsm_attack
