#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace fercli {

/// Grey images of 48x48 pixels as they are compared: a window of 40x40 in the middle of one with windows of another.
inline constexpr int kThumbSide = 48, kThumbWindow = 40, kMostThumbShift = (kThumbSide - kThumbWindow) / 2;

/// Where a window lies, from the middle.
struct WindowPlace {
  int right = 0, down = 0;
  bool mirrored = false;
};

/// A hash of a window and its mirror image. Alike windows have hashes that differ in few bits: the signs of the 63
/// lowest waves (DCT), whose neighbours stand in different quarters of the hash.
struct WindowHash {
  WindowPlace place;
  uint64_t hash = 0, mirrored = 0;
};

/// Of the middle alone, or of every second place on a chess board of shifts.
WindowHash middle_hash(const uint8_t* pixels);
std::vector<WindowHash> window_hashes(const uint8_t* pixels);

/// Correlation of the middle window of `a` with a window of `b`, -1 to 1; 0 where one of them has no contrast.
double window_correlation(const uint8_t* a, const uint8_t* b, const WindowPlace& place);

/// Hashes in buckets by each of their quarters (multi-index hashing).
class HashIndex {
 public:
  static constexpr int kDistance = 7;  ///< in bits: one of four quarters then differs in one bit at most

  explicit HashIndex(const std::vector<uint64_t>& hashes);

  /// Appends the places of the hashes within the distance.
  void find(uint64_t hash, std::vector<uint32_t>& found) const;

 private:
  static constexpr int kBands = 4, kBandBits = 16;

  struct Entry {
    uint64_t hash;
    uint32_t place;
  };

  static uint32_t key(uint64_t hash, int band) { return (hash >> (kBandBits * band)) & ((1U << kBandBits) - 1); }

  std::array<std::vector<uint32_t>, kBands> starts_;
  std::array<std::vector<Entry>, kBands> entries_;
};

}  // namespace fercli
