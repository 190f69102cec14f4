#include "data/near_duplicates.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "data/each_image.hpp"
#include "data/image.hpp"
#include "data/perceptual_hash.hpp"

namespace fercli {

namespace {

constexpr double kWorthASecondLook = 0.7;
constexpr size_t kMostOfOneImage = 100;

/// Grey images of one size, one behind the other.
class Thumbnails {
 public:
  explicit Thumbnails(const Dataset& data, Observer& observer)
      : pixels_(torch::empty({data.size(), kThumbSide, kThumbSide}, torch::kUInt8)) {
    for_each_image(
        "Shrinking", data.size(), 64,
        [&](int64_t row) {
          pixels_[row].copy_(resize_image(convert_channels(data.images[row], 1), kThumbSide, kThumbSide)[0]);
        },
        observer);
  }

  const uint8_t* of(int64_t row) const { return pixels_.data_ptr<uint8_t>() + row * kThumbSide * kThumbSide; }

 private:
  torch::Tensor pixels_;
};

/// What is found for one image after the other.
class NearSearch {
  using Sight = std::pair<double, WindowPlace>;  ///< the correlation there

 public:
  NearSearch(const Dataset& data, double min_correlation, Observer& observer)
      : data_(data), min_correlation_(min_correlation), thumbnails_(data, observer), index_(middle_hashes()) {}

  /// The pairs of one image with any others, the most alike first.
  std::vector<NearPair> pairs_of(int64_t row) const {
    std::map<int64_t, Sight> best;
    std::vector<uint32_t> others;
    for (const auto& window : window_hashes(thumbnails_.of(row))) {
      for (const bool mirrored : {false, true}) {
        others.clear();
        index_.find(mirrored ? window.mirrored : window.hash, others);
        const WindowPlace place{window.place.right, window.place.down, mirrored};
        for (const int64_t other : others) {
          if (other != row) look_at(other, row, place, best[other]);
        }
      }
    }
    std::vector<NearPair> pairs;
    for (const auto& [other, found] : best) {
      if (found.first >= min_correlation_ && !equal(other, row)) pairs.push_back(pair_of(other, row, found));
    }
    std::stable_sort(pairs.begin(), pairs.end(),
                     [](const auto& a, const auto& b) { return a.correlation > b.correlation; });
    if (pairs.size() > kMostOfOneImage) pairs.resize(kMostOfOneImage);
    return pairs;
  }

 private:
  std::vector<uint64_t> middle_hashes() const {
    std::vector<uint64_t> hashes;
    for (int64_t row = 0; row < data_.size(); ++row) {
      hashes.push_back(middle_hash(thumbnails_.of(row)).hash);
    }
    return hashes;
  }

  /// Here, and, if there is something to see, one step to each side.
  void look_at(int64_t other, int64_t row, const WindowPlace& place, Sight& best) const {
    const auto look = [&](const WindowPlace& there) {
      const double correlation = window_correlation(thumbnails_.of(other), thumbnails_.of(row), there);
      if (correlation > best.first) best = {correlation, there};
      return correlation;
    };
    if (look(place) < kWorthASecondLook) return;
    for (const auto& [right, down] : {std::pair{-1, 0}, {1, 0}, {0, -1}, {0, 1}}) {
      const WindowPlace there{place.right + right, place.down + down, place.mirrored};
      if (std::max(std::abs(there.right), std::abs(there.down)) <= kMostThumbShift) look(there);
    }
  }

  bool equal(int64_t a, int64_t b) const { return torch::equal(data_.images[a], data_.images[b]); }

  /// `found`: where `row` has what `other` has in its middle.
  static NearPair pair_of(int64_t other, int64_t row, const Sight& found) {
    const WindowPlace& place = found.second;
    if (other < row) return {other, row, found.first, place.mirrored, place.right, place.down};
    return {row, other, found.first, place.mirrored, place.mirrored ? place.right : -place.right, -place.down};
  }

  const Dataset& data_;
  double min_correlation_;
  Thumbnails thumbnails_;
  HashIndex index_;
};

/// Rows of `from` with a pair in `into` and no equal image there.
Leak near_leak(const Dataset& data, const NearReport& report, const DuplicateReport& equal, Split from, Split into) {
  const auto split = [&](int64_t row) { return data.splits[static_cast<size_t>(row)]; };
  std::set<int64_t> known;
  for (const auto& group : equal.groups) {
    const bool there =
        std::any_of(group.rows.begin(), group.rows.end(), [&](int64_t row) { return split(row) == into; });
    if (there) known.insert(group.rows.begin(), group.rows.end());
  }
  std::map<int64_t, bool> other_label;  // of the rows that leak
  for (const auto& pair : report.pairs) {
    for (const auto& [row, other] : {std::pair{pair.first, pair.second}, {pair.second, pair.first}}) {
      if (split(row) != from || split(other) != into || known.count(row) > 0) continue;
      const auto label = data.labels[row].item<int64_t>(), other_one = data.labels[other].item<int64_t>();
      other_label[row] |= label >= 0 && other_one >= 0 && label != other_one;
    }
  }
  Leak leak{from, into};
  leak.images = static_cast<int64_t>(other_label.size());
  for (const auto& [row, differs] : other_label) leak.other_label += differs;
  leak.total = std::count(data.splits.begin(), data.splits.end(), from);
  return leak;
}

}  // namespace

NearReport find_near_duplicates(const Dataset& data, double min_correlation, const DuplicateReport& equal,
                                Observer& observer) {
  const NearSearch search(data, min_correlation, observer);
  std::vector<std::vector<NearPair>> found(static_cast<size_t>(data.size()));
  for_each_image(
      "Looking for near-duplicates", data.size(), 16,
      [&](int64_t row) { found[static_cast<size_t>(row)] = search.pairs_of(row); }, observer);
  std::map<std::pair<int64_t, int64_t>, NearPair> best;
  for (const auto& pairs : found) {
    for (const auto& pair : pairs) {
      NearPair& kept = best[{pair.first, pair.second}];
      if (pair.correlation > kept.correlation) kept = pair;
    }
  }
  NearReport report;
  std::set<int64_t> rows;
  for (const auto& [ignored, pair] : best) {
    report.pairs.push_back(pair);
    rows.insert({pair.first, pair.second});
  }
  report.images = static_cast<int64_t>(rows.size());
  const std::set<Split> splits(data.splits.begin(), data.splits.end());
  for (const Split from : splits) {
    for (const Split into : splits) {
      if (into >= from) continue;
      const Leak leak = near_leak(data, report, equal, from, into);
      if (leak.images > 0) report.leaks.push_back(leak);
    }
  }
  return report;
}

}  // namespace fercli
