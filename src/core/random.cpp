#include "core/random.hpp"

#include <ATen/Parallel.h>

#include <cmath>
#include <numeric>

namespace fercli {

namespace {

/// The finaliser of SplitMix64: turns key material into well-mixed bits.
uint64_t mix(uint64_t z) {
  z += 0x9e3779b97f4a7c15ULL;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

void philox(uint64_t key, uint64_t counter, uint32_t out[4]) {
  // Four variables: as an array they would go through memory in each round.
  uint32_t c0 = static_cast<uint32_t>(counter), c1 = static_cast<uint32_t>(counter >> 32), c2 = 0, c3 = 0;
  uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xD2511F53} * c0, p1 = uint64_t{0xCD9E8D57} * c2;
    c0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ k0;
    c1 = static_cast<uint32_t>(p1);
    c2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c3 = static_cast<uint32_t>(p0);
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

template <class Draw>
torch::Tensor rows(const Rng& rng, const std::vector<int64_t>& index, torch::IntArrayRef shape, Draw draw) {
  std::vector<int64_t> sizes{static_cast<int64_t>(index.size())};
  sizes.insert(sizes.end(), shape.begin(), shape.end());
  auto noise = torch::empty(sizes, torch::kFloat32);
  if (noise.numel() == 0) return noise;
  const int64_t width = noise.numel() / noise.size(0);
  float* data = noise.data_ptr<float>();
  at::parallel_for(0, noise.size(0), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      Rng stream = rng.split(static_cast<uint64_t>(index[i]));
      for (int64_t j = 0; j < width; ++j) data[i * width + j] = static_cast<float>(draw(stream));
    }
  });
  return noise;
}

}  // namespace

Rng::Rng(uint64_t seed) : key_(mix(seed)) {}

Rng Rng::split(std::string_view label) const {
  uint64_t hash = 0xcbf29ce484222325ULL;  // FNV-1a
  for (const char c : label) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return Rng(mix(key_ ^ mix(hash)), KeyTag{});
}

Rng Rng::split(uint64_t number) const {
  return Rng(mix(key_ + mix(number ^ 0x5851f42d4c957f2dULL)), KeyTag{});
}

uint32_t Rng::next32() {
  if (left_ == 0) {
    philox(key_, counter_++, block_);
    left_ = 4;
  }
  return block_[--left_];
}

uint64_t Rng::next64() {
  const uint64_t high = next32();
  return (high << 32) | next32();
}

double Rng::uniform() {
  return static_cast<double>(next64() >> 11) * 0x1.0p-53;
}

double Rng::uniform(double low, double high) {
  return low + (high - low) * uniform();
}

double Rng::normal() {
  const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
  return radius * std::cos(2.0 * M_PI * uniform());
}

int64_t Rng::below(int64_t bound) {
  return static_cast<int64_t>(uniform() * static_cast<double>(bound));
}

bool Rng::chance(double probability) {
  return uniform() < probability;
}

std::vector<int64_t> Rng::permutation(int64_t n) {
  std::vector<int64_t> order(n);
  std::iota(order.begin(), order.end(), 0);
  for (int64_t i = n - 1; i > 0; --i) std::swap(order[i], order[below(i + 1)]);
  return order;
}

torch::Tensor uniform_rows(const Rng& rng, const std::vector<int64_t>& index, torch::IntArrayRef shape) {
  return rows(rng, index, shape, [](Rng& stream) { return stream.next32() * 0x1.0p-31 - 1.0; });
}

torch::Tensor normal_rows(const Rng& rng, const std::vector<int64_t>& index, torch::IntArrayRef shape) {
  return rows(rng, index, shape, [](Rng& stream) { return stream.normal(); });
}

}  // namespace fercli
