#include "commands/near_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "draw/lettering.hpp"
#include "draw/overlay.hpp"
#include "eval/result.hpp"
#include "eval/result_shapes.hpp"

namespace fercli {

namespace {

using nlohmann::json;

bool has_conflict(const Dataset& data, const NearPair& pair) {
  const std::string first = label_name(data, pair.first), second = label_name(data, pair.second);
  return !first.empty() && !second.empty() && first != second;
}

bool spans_splits(const Dataset& data, const NearPair& pair) {
  return data.splits[static_cast<size_t>(pair.first)] != data.splits[static_cast<size_t>(pair.second)];
}

bool is_shifted(const NearPair& pair) {
  return pair.right != 0 || pair.down != 0;
}

template <class Is>
int64_t count_pairs(const NearReport& report, const Is& is) {
  return std::count_if(report.pairs.begin(), report.pairs.end(), is);
}

int64_t conflicts_in(const Dataset& data, const NearReport& report) {
  return count_pairs(report, [&](const NearPair& pair) { return has_conflict(data, pair); });
}

int64_t spanning_in(const Dataset& data, const NearReport& report) {
  return count_pairs(report, [&](const NearPair& pair) { return spans_splits(data, pair); });
}

int64_t mirrored_in(const NearReport& report) {
  return count_pairs(report, [](const NearPair& pair) { return pair.mirrored; });
}

/// "0.962, mirrored, 2 right, 1 up".
std::string words_of(const NearPair& pair) {
  std::string words = fmt::format("{:.3f}", pair.correlation);
  if (pair.mirrored) words += ", mirrored";
  if (pair.right != 0) words += fmt::format(", {} {}", std::abs(pair.right), pair.right > 0 ? "right" : "left");
  if (pair.down != 0) words += fmt::format(", {} {}", std::abs(pair.down), pair.down > 0 ? "down" : "up");
  return words;
}

}  // namespace

std::string label_name(const Dataset& data, int64_t row) {
  const int64_t label = data.labels[row].item<int64_t>();
  return label < 0 ? "" : data.classes.name(label);
}

json image_json(const Dataset& data, int64_t row) {
  const auto i = static_cast<size_t>(row);
  return {{"id", data.ids[i]}, {"split", to_string(data.splits[i])}, {"label", label_name(data, row)}};
}

json image_schema() {
  using namespace shape;
  return object({{"id", text()}, {"split", text()}, {"label", text()}});
}

void add_leak_rows(const std::vector<Leak>& leaks, const std::string& words, PrintedTable& table) {
  for (const auto& leak : leaks) {
    table.rows.push_back({fmt::format("{} images {} {}", to_string(leak.from), words, to_string(leak.into)),
                          leak.images, proportion_cell(proportion(leak.images, leak.total))});
    table.rows.push_back({"  of them with a copy under another label", leak.other_label, ""});
  }
}

json leaks_json(const std::vector<Leak>& leaks) {
  json list = json::array();
  for (const auto& leak : leaks) {
    list.push_back({{"from", to_string(leak.from)},
                    {"into", to_string(leak.into)},
                    {"images", leak.images},
                    {"other_label", leak.other_label},
                    {"share", to_json(proportion(leak.images, leak.total))}});
  }
  return list;
}

json leak_schema() {
  using namespace shape;
  return object({{"from", text()},
                 {"into", text()},
                 {"images", described(whole(), "of `from` that are in `into` too")},
                 {"other_label", described(whole(), "of them, those under another label")},
                 {"share", Shape<Metric>::schema()}});
}

PrintedTable near_table(const Dataset& data, const NearReport& report, double min_correlation) {
  const int64_t shifted = count_pairs(report, is_shifted);
  PrintedTable table{fmt::format("Near-duplicates (correlation of at least {:g})", min_correlation),
                     {"finding", "number", "share"},
                     {}};
  table.rows = {{"pairs of images", static_cast<int64_t>(report.pairs.size()), ""},
                {"  of them mirrored", mirrored_in(report), ""},
                {"  of them shifted", shifted, ""},
                {"  of them with conflicting labels", conflicts_in(data, report), ""},
                {"  of them that span splits", spanning_in(data, report), ""},
                {"images in such pairs", report.images, proportion_cell(proportion(report.images, data.size()))}};
  add_leak_rows(report.leaks, "nearly, not exactly, in", table);
  return table;
}

json near_json(const Dataset& data, const NearReport& report, double min_correlation) {
  json pairs = json::array();
  for (const auto& pair : report.pairs) {
    pairs.push_back({{"images", {image_json(data, pair.first), image_json(data, pair.second)}},
                     {"correlation", pair.correlation},
                     {"mirrored", pair.mirrored},
                     {"right", pair.right},
                     {"down", pair.down}});
  }
  return {{"min_correlation", min_correlation},        {"images", report.images},
          {"mirrored", mirrored_in(report)},           {"shifted", count_pairs(report, is_shifted)},
          {"conflicting", conflicts_in(data, report)}, {"across_splits", spanning_in(data, report)},
          {"leaks", leaks_json(report.leaks)},         {"pairs", pairs}};
}

json near_schema() {
  using namespace shape;
  const json pair = object({{"images", described(list(image_schema()), "two")},
                            {"correlation", described(number(), "of their pixels where they are alike, up to 1")},
                            {"mirrored", flag()},
                            {"right", described(whole(),
                                                "where the second has the first's content, in 48ths of the "
                                                "side")},
                            {"down", described(whole(), "the same")}});
  return object({{"min_correlation", number()},
                 {"images", described(whole(), "in at least one pair")},
                 {"mirrored", described(whole(), "pairs")},
                 {"shifted", described(whole(), "pairs")},
                 {"conflicting", described(whole(), "pairs whose labels differ")},
                 {"across_splits", described(whole(), "pairs")},
                 {"leaks", described(list(leak_schema()), "images without an equal copy in the other split")},
                 {"pairs", list(pair)}});
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
