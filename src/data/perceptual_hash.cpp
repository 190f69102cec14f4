#include "data/perceptual_hash.hpp"

#include <cmath>

#include "core/vectorised.hpp"

namespace fercli {

namespace {

constexpr int kWaves = 8;

using WaveTable = std::array<std::array<float, kThumbWindow>, kWaves>;

/// The waves of the columns, for windows that lie this far down: [x][wave].
struct ColumnWaves {
  float of[kThumbSide][kWaves] = {};
};

const WaveTable& wave_table() {
  static const WaveTable table = [] {
    WaveTable out;
    for (size_t wave = 0; wave < kWaves; ++wave) {
      for (size_t i = 0; i < kThumbWindow; ++i) {
        const double place = (static_cast<double>(i) + 0.5) / kThumbWindow;
        out[wave][i] = static_cast<float>(std::cos(M_PI * place * static_cast<double>(wave)));
      }
    }
    return out;
  }();
  return table;
}

FERCLI_VECTORISED void add_columns(const uint8_t* pixels, int down, const WaveTable& waves, ColumnWaves& out) {
  for (size_t wave = 0; wave < kWaves; ++wave) {
    float sums[kThumbSide] = {};
    for (size_t y = 0; y < kThumbWindow; ++y) {
      const uint8_t* row = pixels + (kMostThumbShift + down + static_cast<int>(y)) * kThumbSide;
      const float height = waves[wave][y];
      for (size_t x = 0; x < kThumbSide; ++x) sums[x] += height * static_cast<float>(row[x]);
    }
    for (size_t x = 0; x < kThumbSide; ++x) out.of[x][wave] = sums[x];
  }
}

/// `out`: [wave of the rows][wave of the columns].
FERCLI_VECTORISED void add_rows(const ColumnWaves& columns, int right, const WaveTable& waves,
                                float (&out)[kWaves][kWaves]) {
  for (size_t wave = 0; wave < kWaves; ++wave) {
    float sums[kWaves] = {};
    for (size_t x = 0; x < kThumbWindow; ++x) {
      const float* column = columns.of[kMostThumbShift + right + static_cast<int>(x)];
      for (size_t i = 0; i < kWaves; ++i) sums[i] += waves[wave][x] * column[i];
    }
    for (size_t i = 0; i < kWaves; ++i) out[wave][i] = sums[i];
  }
}

/// A mirror image has the odd waves of its rows the other way.
WindowHash hash_of_columns(const ColumnWaves& columns, const WindowPlace& place) {
  float waves[kWaves][kWaves];
  add_rows(columns, place.right, wave_table(), waves);
  WindowHash out{place};
  for (size_t i = 1; i < kWaves * kWaves; ++i) {
    const float wave = waves[i / kWaves][i % kWaves];
    const size_t bit = i % 4 * 16 + i / 4;
    out.hash |= uint64_t{wave > 0} << bit;
    out.mirrored |= uint64_t{i / kWaves % 2 == 1 ? wave < 0 : wave > 0} << bit;
  }
  return out;
}

/// Sums over two windows.
struct WindowSums {
  int64_t a = 0, b = 0, aa = 0, bb = 0, ab = 0;
};

FERCLI_VECTORISED void add_line(const uint8_t* a, const uint8_t* b, WindowSums& sums) {
  int32_t of_a = 0, of_b = 0, of_aa = 0, of_bb = 0, of_ab = 0;
  for (int x = 0; x < kThumbWindow; ++x) {
    of_a += a[x], of_b += b[x], of_aa += a[x] * a[x], of_bb += b[x] * b[x], of_ab += a[x] * b[x];
  }
  sums.a += of_a, sums.b += of_b, sums.aa += of_aa, sums.bb += of_bb, sums.ab += of_ab;
}

}  // namespace

WindowHash middle_hash(const uint8_t* pixels) {
  ColumnWaves columns;
  add_columns(pixels, 0, wave_table(), columns);
  return hash_of_columns(columns, {});
}

std::vector<WindowHash> window_hashes(const uint8_t* pixels) {
  std::vector<WindowHash> out;
  for (int down = -kMostThumbShift; down <= kMostThumbShift; ++down) {
    ColumnWaves columns;
    add_columns(pixels, down, wave_table(), columns);
    for (int right = -kMostThumbShift; right <= kMostThumbShift; ++right) {
      if ((right + down) % 2 == 0) out.push_back(hash_of_columns(columns, {right, down, false}));
    }
  }
  return out;
}

double window_correlation(const uint8_t* a, const uint8_t* b, const WindowPlace& place) {
  WindowSums sums;
  for (int y = 0; y < kThumbWindow; ++y) {
    const uint8_t* line_a = a + (kMostThumbShift + y) * kThumbSide + kMostThumbShift;
    const uint8_t* line_b = b + (kMostThumbShift + place.down + y) * kThumbSide + kMostThumbShift + place.right;
    uint8_t turned[kThumbWindow];
    for (int x = 0; place.mirrored && x < kThumbWindow; ++x) turned[x] = line_b[kThumbWindow - 1 - x];
    add_line(line_a, place.mirrored ? turned : line_b, sums);
  }
  constexpr int64_t kPixels = kThumbWindow * kThumbWindow;
  const int64_t spread_a = kPixels * sums.aa - sums.a * sums.a, spread_b = kPixels * sums.bb - sums.b * sums.b;
  if (spread_a < kPixels * kPixels || spread_b < kPixels * kPixels) return 0;  // a variance under 1
  const int64_t both = kPixels * sums.ab - sums.a * sums.b;
  return static_cast<double>(both) / std::sqrt(static_cast<double>(spread_a) * static_cast<double>(spread_b));
}

HashIndex::HashIndex(const std::vector<uint64_t>& hashes) {
  for (int band = 0; band < kBands; ++band) {
    auto& starts = starts_[static_cast<size_t>(band)];
    auto& entries = entries_[static_cast<size_t>(band)];
    starts.assign((1U << kBandBits) + 1, 0);
    for (const uint64_t hash : hashes) ++starts[key(hash, band) + 1];
    for (size_t k = 1; k < starts.size(); ++k) starts[k] += starts[k - 1];
    auto next = starts;
    entries.resize(hashes.size());
    for (size_t i = 0; i < hashes.size(); ++i) {
      entries[next[key(hashes[i], band)]++] = {hashes[i], static_cast<uint32_t>(i)};
    }
  }
}

FERCLI_VECTORISED void HashIndex::find(uint64_t hash, std::vector<uint32_t>& found) const {
  for (int band = 0; band < kBands; ++band) {
    const uint32_t* starts = starts_[static_cast<size_t>(band)].data();
    const Entry* entries = entries_[static_cast<size_t>(band)].data();
    for (int bit = -1; bit < kBandBits; ++bit) {
      const uint32_t bucket = bit < 0 ? key(hash, band) : key(hash, band) ^ (1U << bit);
      for (uint32_t i = starts[bucket]; i < starts[bucket + 1]; ++i) {
        const uint64_t apart = entries[i].hash ^ hash;
        bool met = false;  // in an earlier band
        for (int earlier = 0; earlier < band; ++earlier) met |= __builtin_popcount(key(apart, earlier)) <= 1;
        if (!met && __builtin_popcountll(apart) <= kDistance) found.push_back(entries[i].place);
      }
    }
  }
}

}  // namespace fercli
