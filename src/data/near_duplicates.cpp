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

/// The rows of each image that there is, ascending: one row, or all that are equal. By their first rows.
std::vector<std::vector<int64_t>> distinct_images(int64_t rows, const DuplicateReport& equal) {
  std::vector<const DuplicateGroup*> group_of(static_cast<size_t>(rows), nullptr);
  for (const auto& group : equal.groups)
    for (const int64_t row : group.rows) group_of[static_cast<size_t>(row)] = &group;
  std::vector<std::vector<int64_t>> images;
  for (int64_t row = 0; row < rows; ++row) {
    const DuplicateGroup* group = group_of[static_cast<size_t>(row)];
    if (group == nullptr) images.push_back({row});
    if (group != nullptr && group->rows.front() == row) images.push_back(group->rows);
  }
  return images;
}

/// Grey images of one size, one behind the other.
class Thumbnails {
 public:
  Thumbnails(const Dataset& data, const std::vector<std::vector<int64_t>>& images, Observer& observer)
      : pixels_(torch::empty({static_cast<int64_t>(images.size()), kThumbSide, kThumbSide}, torch::kUInt8)) {
    for_each_image(
        "Shrinking", pixels_.size(0), 64,
        [&](int64_t image) {
          const auto full = data.images[images[static_cast<size_t>(image)].front()];
          pixels_[image].copy_(resize_image(convert_channels(full, 1), kThumbSide, kThumbSide)[0]);
        },
        observer);
  }

  int64_t size() const { return pixels_.size(0); }
  const uint8_t* of(int64_t image) const { return pixels_.data_ptr<uint8_t>() + image * kThumbSide * kThumbSide; }

 private:
  torch::Tensor pixels_;
};

using Sight = std::pair<double, WindowPlace>;  ///< the correlation there

/// What is found for one image after the other, of those that are not equal pixel by pixel.
class NearSearch {
 public:
  NearSearch(const Dataset& data, const std::vector<std::vector<int64_t>>& images, double min_correlation,
             Observer& observer)
      : images_(images),
        min_correlation_(min_correlation),
        thumbnails_(data, images, observer),
        index_(middle_hashes()) {}

  /// Rows of others that are like this image, the most alike first, of equals the first row.
  std::vector<std::pair<int64_t, Sight>> like(int64_t image) const {
    std::map<int64_t, Sight> best;
    std::vector<uint32_t> others;
    for (const auto& window : window_hashes(thumbnails_.of(image))) {
      for (const bool mirrored : {false, true}) {
        others.clear();
        index_.find(mirrored ? window.mirrored : window.hash, others);
        const WindowPlace place{window.place.right, window.place.down, mirrored};
        for (const int64_t other : others) {
          if (other != image) look_at(other, image, place, best[other]);
        }
      }
    }
    std::vector<std::pair<int64_t, Sight>> found;
    for (const auto& [other, sight] : best) {
      if (sight.first < min_correlation_) continue;
      const auto& rows = images_[static_cast<size_t>(other)];
      for (size_t i = 0; i < std::min(rows.size(), kMostOfOneImage); ++i) found.emplace_back(rows[i], sight);
    }
    std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
      return a.second.first != b.second.first ? a.second.first > b.second.first : a.first < b.first;
    });
    if (found.size() > kMostOfOneImage) found.resize(kMostOfOneImage);
    return found;
  }

 private:
  std::vector<uint64_t> middle_hashes() const {
    std::vector<uint64_t> hashes;
    for (int64_t image = 0; image < thumbnails_.size(); ++image) {
      hashes.push_back(middle_hash(thumbnails_.of(image)).hash);
    }
    return hashes;
  }

  /// Here, and, if there is something to see, one step to each side.
  void look_at(int64_t other, int64_t image, const WindowPlace& place, Sight& best) const {
    const auto look = [&](const WindowPlace& there) {
      const double correlation = window_correlation(thumbnails_.of(other), thumbnails_.of(image), there);
      if (correlation > best.first) best = {correlation, there};
      return correlation;
    };
    if (look(place) < kWorthASecondLook) return;
    for (const auto& [right, down] : {std::pair{-1, 0}, {1, 0}, {0, -1}, {0, 1}}) {
      const WindowPlace there{place.right + right, place.down + down, place.mirrored};
      if (std::max(std::abs(there.right), std::abs(there.down)) <= kMostThumbShift) look(there);
    }
  }

  const std::vector<std::vector<int64_t>>& images_;  ///< the rows of each
  double min_correlation_;
  Thumbnails thumbnails_;
  HashIndex index_;
};

/// `found`: where `row` has what `other` has in its middle.
NearPair pair_of(int64_t other, int64_t row, const Sight& found) {
  const WindowPlace& place = found.second;
  if (other < row) return {other, row, found.first, place.mirrored, place.right, place.down};
  return {row, other, found.first, place.mirrored, place.mirrored ? place.right : -place.right, -place.down};
}

/// The best that was found for each two rows. `found`: by images, whose rows are given.
std::map<std::pair<int64_t, int64_t>, NearPair> best_pairs(
    const std::vector<std::vector<int64_t>>& images, const std::vector<std::vector<std::pair<int64_t, Sight>>>& found) {
  std::map<int64_t, size_t> image_of;
  for (size_t image = 0; image < images.size(); ++image)
    for (const int64_t row : images[image]) image_of[row] = image;
  std::map<std::pair<int64_t, int64_t>, NearPair> best;
  for (const auto& [row, image] : image_of) {
    for (const auto& [other, sight] : found[image]) {
      const NearPair pair = pair_of(other, row, sight);
      NearPair& kept = best[{pair.first, pair.second}];
      if (pair.correlation > kept.correlation) kept = pair;
    }
  }
  return best;
}

/// Rows without a label agree with any.
bool labels_differ(const Dataset& data, int64_t row, int64_t other) {
  const auto label = data.labels[row].item<int64_t>(), other_one = data.labels[other].item<int64_t>();
  return label >= 0 && other_one >= 0 && label != other_one;
}

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
      other_label[row] |= labels_differ(data, row, other);
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
  const auto images = distinct_images(data.size(), equal);
  const NearSearch search(data, images, min_correlation, observer);
  std::vector<std::vector<std::pair<int64_t, Sight>>> found(images.size());
  for_each_image(
      "Looking for near-duplicates", static_cast<int64_t>(images.size()), 16,
      [&](int64_t image) { found[static_cast<size_t>(image)] = search.like(image); }, observer);
  NearReport report;
  std::set<int64_t> rows;
  for (const auto& [ignored, pair] : best_pairs(images, found)) {
    report.pairs.push_back(pair);
    rows.insert({pair.first, pair.second});
    report.mirrored += pair.mirrored;
    report.shifted += pair.right != 0 || pair.down != 0;
    report.conflicting += labels_differ(data, pair.first, pair.second);
    report.across_splits +=
        data.splits[static_cast<size_t>(pair.first)] != data.splits[static_cast<size_t>(pair.second)];
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
