#include "eval/measures/subset.hpp"

#include <algorithm>
#include <numeric>

#include "attacks/engine/attack.hpp"
#include "core/random.hpp"

namespace fercli {

namespace {

/// How many of `count` each class gets.
std::vector<int64_t> shares(const std::vector<int64_t>& sizes, int64_t count) {
  const int64_t all = std::accumulate(sizes.begin(), sizes.end(), int64_t{0});
  std::vector<int64_t> share(sizes.size());
  std::vector<size_t> by_remainder(sizes.size());
  std::iota(by_remainder.begin(), by_remainder.end(), size_t{0});
  for (size_t k = 0; k < sizes.size(); ++k) share[k] = sizes[k] * count / all;
  std::stable_sort(by_remainder.begin(), by_remainder.end(),
                   [&](size_t a, size_t b) { return sizes[a] * count % all > sizes[b] * count % all; });
  int64_t left = count - std::accumulate(share.begin(), share.end(), int64_t{0});
  for (size_t i = 0; left > 0; ++i, --left) ++share[by_remainder[i]];
  return share;
}

}  // namespace

std::vector<int64_t> stratified_rows(const Dataset& dataset, int64_t count) {
  std::vector<int64_t> rows(static_cast<size_t>(dataset.size()));
  std::iota(rows.begin(), rows.end(), int64_t{0});
  if (count >= dataset.size()) return rows;
  const Rng order = Rng(0).split("subset");
  const auto keys = image_keys(dataset.images);
  std::vector<std::vector<std::pair<uint64_t, int64_t>>> classes(static_cast<size_t>(dataset.classes.size()));
  for (const int64_t row : rows) {
    const auto key = static_cast<uint64_t>(keys[static_cast<size_t>(row)]);
    classes.at(static_cast<size_t>(dataset.labels[row].item<int64_t>())).emplace_back(order.split(key).key(), row);
  }
  std::vector<int64_t> sizes;
  for (auto& rows_of_class : classes) {
    std::sort(rows_of_class.begin(), rows_of_class.end());
    sizes.push_back(static_cast<int64_t>(rows_of_class.size()));
  }
  const auto share = shares(sizes, count);
  rows.clear();
  for (size_t k = 0; k < classes.size(); ++k) {
    for (int64_t i = 0; i < share[k]; ++i) rows.push_back(classes[k][static_cast<size_t>(i)].second);
  }
  std::sort(rows.begin(), rows.end());
  return rows;
}

Dataset subset(const Dataset& dataset, int64_t count) {
  return count == 0 || count >= dataset.size() ? dataset : dataset.select(stratified_rows(dataset, count));
}

}  // namespace fercli
