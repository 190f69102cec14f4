#include "data/audit.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <unordered_map>

#include "core/digest.hpp"
#include "core/files.hpp"
#include "data/each_image.hpp"

namespace fercli {

namespace {

/// Label and split of the rows, for quick look-up.
struct RowFacts {
  explicit RowFacts(const Dataset& data) : labels(data.labels.contiguous()), splits(data.splits) {}
  int64_t label(int64_t row) const { return labels.data_ptr<int64_t>()[row]; }
  Split split(int64_t row) const { return splits[static_cast<size_t>(row)]; }
  torch::Tensor labels;
  const std::vector<Split>& splits;
};

DuplicateGroup describe(std::vector<int64_t> rows, const RowFacts& facts) {
  DuplicateGroup group;
  std::set<int64_t> labels;
  std::set<Split> splits;
  for (const int64_t row : rows) {
    if (facts.label(row) >= 0) labels.insert(facts.label(row));
    splits.insert(facts.split(row));
  }
  group.rows = std::move(rows);
  group.conflicting = labels.size() > 1;
  group.across_splits = splits.size() > 1;
  return group;
}

/// Adds one group to the leak of `leak.from` into `leak.into`.
void count_leak(const DuplicateGroup& group, const RowFacts& facts, Leak& leak) {
  std::set<int64_t> labels;
  bool there = false;
  for (const int64_t row : group.rows) {
    if (facts.split(row) != leak.into) continue;
    there = true;
    if (facts.label(row) >= 0) labels.insert(facts.label(row));
  }
  if (!there) return;
  for (const int64_t row : group.rows) {
    if (facts.split(row) != leak.from) continue;
    ++leak.images;
    leak.other_label += facts.label(row) >= 0 && labels.size() > labels.count(facts.label(row));
  }
}

std::vector<Leak> find_leaks(const std::vector<DuplicateGroup>& groups, const RowFacts& facts) {
  std::map<Split, int64_t> totals;
  for (const Split split : facts.splits) ++totals[split];
  std::vector<Leak> leaks;
  for (const auto& [from, total] : totals) {
    for (const auto& [into, ignored] : totals) {
      if (into >= from) continue;
      Leak leak{from, into};
      leak.total = total;
      for (const auto& group : groups) {
        if (group.across_splits) count_leak(group, facts, leak);
      }
      if (leak.images > 0) leaks.push_back(leak);
    }
  }
  return leaks;
}

/// The keys of all rows, worked out in parallel.
std::vector<std::string> keys_of(int64_t n, const std::function<std::string(int64_t)>& key, Observer& observer) {
  std::vector<std::string> keys(static_cast<size_t>(n));
  for_each_image(
      "Comparing", n, 64, [&](int64_t row) { keys[static_cast<size_t>(row)] = key(row); }, observer);
  return keys;
}

}  // namespace

DuplicateReport find_duplicates(const Dataset& data, const std::function<std::string(int64_t)>& key,
                                Observer& observer) {
  const RowFacts facts(data);
  const auto keys = keys_of(data.size(), key, observer);
  std::unordered_map<std::string, std::vector<int64_t>> rows_of;
  for (int64_t row = 0; row < data.size(); ++row) rows_of[keys[static_cast<size_t>(row)]].push_back(row);
  DuplicateReport report;
  for (auto& [ignored, rows] : rows_of) {
    if (rows.size() > 1) report.groups.push_back(describe(std::move(rows), facts));
  }
  std::sort(report.groups.begin(), report.groups.end(),
            [](const DuplicateGroup& a, const DuplicateGroup& b) { return a.rows[0] < b.rows[0]; });
  for (const auto& group : report.groups) {
    report.redundant += static_cast<int64_t>(group.rows.size()) - 1;
    report.conflicting += group.conflicting;
    report.across_splits += group.across_splits;
  }
  report.leaks = find_leaks(report.groups, facts);
  return report;
}

DuplicateReport find_equal_pixels(const Dataset& data, Observer& observer) {
  const torch::Tensor images = data.images.contiguous();
  const int64_t bytes = images.numel() / std::max<int64_t>(data.size(), 1);
  const auto* pixels = reinterpret_cast<const char*>(images.data_ptr<uint8_t>());
  const auto key = [&](int64_t row) {
    return sha256_hex(std::string_view(pixels + row * bytes, static_cast<size_t>(bytes)));
  };
  return find_duplicates(data, key, observer);
}

DuplicateReport find_equal_files(const Dataset& data, const std::string& root, Observer& observer) {
  const auto key = [&](int64_t row) {
    return sha256_hex(read_file(std::filesystem::path(root) / data.ids[static_cast<size_t>(row)]));
  };
  return find_duplicates(data, key, observer);
}

std::vector<int64_t> find_blank(const Dataset& data, double threshold) {
  const torch::Tensor images = data.images.contiguous();
  const int64_t bytes = images.numel() / std::max<int64_t>(data.size(), 1);
  std::vector<int64_t> blank;
  for (int64_t row = 0; row < data.size(); ++row) {
    const uint8_t* pixel = images.data_ptr<uint8_t>() + row * bytes;
    int64_t sum = 0, squares = 0;
    for (int64_t i = 0; i < bytes; ++i) {
      sum += pixel[i];
      squares += int64_t{pixel[i]} * pixel[i];
    }
    const double mean = static_cast<double>(sum) / static_cast<double>(bytes);
    const double variance = static_cast<double>(squares) / static_cast<double>(bytes) - mean * mean;
    if (variance < threshold * threshold) blank.push_back(row);
  }
  return blank;
}

}  // namespace fercli
