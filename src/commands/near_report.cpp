#include "commands/near_report.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "draw/lettering.hpp"
#include "draw/overlay.hpp"

namespace fercli {

namespace {

/// "0.962, mirrored, 2 right, 1 up".
std::string words_of(const NearPair& pair) {
  std::string words = fmt::format("{:.3f}", pair.correlation);
  if (pair.mirrored) words += ", mirrored";
  if (pair.right != 0) words += fmt::format(", {} {}", std::abs(pair.right), pair.right > 0 ? "right" : "left");
  if (pair.down != 0) words += fmt::format(", {} {}", std::abs(pair.down), pair.down > 0 ? "down" : "up");
  return words;
}

}  // namespace

NamedImage named_image(const Dataset& data, int64_t row) {
  const auto i = static_cast<size_t>(row);
  const int64_t label = data.labels[row].item<int64_t>();
  return {data.ids[i], to_string(data.splits[i]), label < 0 ? "" : data.classes.name(label)};
}

NearDuplicates with_names(const Dataset& data, NearReport report, double min_correlation) {
  NearDuplicates near{min_correlation, std::move(report), {}};
  for (const auto& pair : near.report.pairs)
    near.pairs.push_back({{named_image(data, pair.first), named_image(data, pair.second)}, pair});
  return near;
}

void add_leak_rows(const std::vector<Leak>& leaks, const std::string& words, PrintedTable& table) {
  for (const auto& leak : leaks) {
    table.rows.push_back({fmt::format("{} images {} {}", to_string(leak.from), words, to_string(leak.into)),
                          leak.images, proportion_cell(proportion(leak.images, leak.total))});
    table.rows.push_back({"  of them with a copy under another label", leak.other_label, ""});
  }
}

PrintedTable near_table(const NearDuplicates& near, int64_t n) {
  const NearReport& report = near.report;
  PrintedTable table{fmt::format("Near-duplicates (correlation of at least {:g})", near.min_correlation),
                     {"finding", "number", "share"},
                     {}};
  table.rows = {{"pairs of images", static_cast<int64_t>(report.pairs.size()), ""},
                {"  of them mirrored", report.mirrored, ""},
                {"  of them shifted", report.shifted, ""},
                {"  of them with conflicting labels", report.conflicting, ""},
                {"  of them that span splits", report.across_splits, ""},
                {"images in such pairs", report.images, proportion_cell(proportion(report.images, n))}};
  add_leak_rows(report.leaks, "nearly, not exactly, in", table);
  return table;
}

torch::Tensor near_sheet(const Dataset& data, const NearReport& report) {
  constexpr size_t kMostPairs = 60, kAcross = 6;
  constexpr int kTile = 96, kGap = 10, kWords = 18, kLetters = 8;
  std::vector<NearPair> pairs = report.pairs;
  std::stable_sort(pairs.begin(), pairs.end(), [](auto& a, auto& b) { return a.correlation < b.correlation; });
  pairs.resize(std::min(pairs.size(), kMostPairs));
  const size_t across = std::max<size_t>(1, std::min(kAcross, pairs.size())),
               lines = (pairs.size() + across - 1) / across;
  const int width = kGap + static_cast<int>(across) * (2 * kTile + kGap);
  const int height = kGap + static_cast<int>(std::max<size_t>(1, lines)) * (kTile + kWords + kGap);
  const auto sheet = torch::full({height, width, 3}, 40, torch::kUInt8);
  Lettering letters;
  for (size_t i = 0; i < pairs.size(); ++i) {
    const int left = kGap + static_cast<int>(i % across) * (2 * kTile + kGap);
    const int top = kGap + static_cast<int>(i / across) * (kTile + kWords + kGap);
    draw_tile(sheet, data.images[pairs[i].first], left, top, kTile);
    draw_tile(sheet, data.images[pairs[i].second], left + kTile, top, kTile);
    letters.write(sheet, words_of(pairs[i]), left, top + kTile + kWords - 4, kLetters, kWhite);
  }
  return image_of_bgr(sheet);
}

}  // namespace fercli
