// Noise of the common corruptions, drawn for every value (pixel × channel) on its own.
//
//   gaussian_noise  standard deviation  0.04  0.08  0.12  0.15  0.18
//   shot_noise      photons at white     250   100    50    30    15   (Poisson)
//   impulse_noise   share of values     0.01  0.02  0.05  0.08  0.14   (half of them black, half white)
//
// Strengths of Tiny-ImageNet-C; one draw serves all severities, so what is hit at one severity is hit at the next.
#include "data/corruptions/corruption.hpp"

namespace fercli::corruptions_noise {

namespace {

constexpr std::array<double, kSeverities> kGaussian{0.04, 0.08, 0.12, 0.15, 0.18};
constexpr std::array<double, kSeverities> kPhotons{250, 100, 50, 30, 15};
constexpr std::array<double, kSeverities> kImpulses{0.01, 0.02, 0.05, 0.08, 0.14};

/// Every value becomes change(value).
template <class Change>
torch::Tensor each_value(const torch::Tensor& image, Change change) {
  auto result = image.clone();
  auto* value = result.data_ptr<float>();
  for (int64_t i = 0; i < result.numel(); ++i) value[i] = static_cast<float>(change(static_cast<double>(value[i])));
  return result;
}

/// The quantile `level` of the Poisson distribution, by adding up its probabilities.
int64_t poisson_quantile(double mean, double level) {
  const double beyond = mean + 20 * std::sqrt(mean) + 30;  // further up, probabilities are below double's resolution
  double probability = std::exp(-mean), sum = probability;
  int64_t count = 0;
  while (sum <= level && static_cast<double>(count) < beyond) {
    ++count;
    probability *= mean / static_cast<double>(count);
    sum += probability;
  }
  return count;
}

torch::Tensor gaussian_noise(const torch::Tensor& image, int64_t severity, Rng& rng) {
  const double sigma = kGaussian[severity - 1];
  return each_value(image, [&](double value) { return value + sigma * rng.normal(); });
}

torch::Tensor shot_noise(const torch::Tensor& image, int64_t severity, Rng& rng) {
  const double photons = kPhotons[severity - 1];
  return each_value(image, [&](double value) {
    return static_cast<double>(poisson_quantile(value * photons, rng.uniform())) / photons;
  });
}

torch::Tensor impulse_noise(const torch::Tensor& image, int64_t severity, Rng& rng) {
  const double share = kImpulses[severity - 1];
  return each_value(image, [&](double value) {
    const bool hit = rng.chance(share), white = rng.chance(0.5);
    return hit ? static_cast<double>(white) : value;
  });
}

const Register<Corruption> gaussian{{"gaussian_noise", "noise", 0, gaussian_noise}};
const Register<Corruption> shot{{"shot_noise", "noise", 1, shot_noise}};
const Register<Corruption> impulse{{"impulse_noise", "noise", 2, impulse_noise}};

}  // namespace

}  // namespace fercli::corruptions_noise
