#include "data/dataset.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <unordered_set>

#include "core/digest.hpp"
#include "core/error.hpp"
#include "core/text.hpp"
#include "data/image_store.hpp"

namespace fercli {

namespace {

/// The bytes of one image of a contiguous uint8 (N,C,H,W) tensor.
std::string_view row_bytes(const torch::Tensor& images, int64_t row) {
  const int64_t bytes = images.numel() / std::max<int64_t>(images.size(0), 1);
  return {reinterpret_cast<const char*>(images.data_ptr<uint8_t>() + row * bytes), static_cast<size_t>(bytes)};
}

torch::Tensor index_tensor(const std::vector<int64_t>& rows) {
  return torch::tensor(rows, torch::kInt64);
}

/// Columns joined and dropped as the classes are; rows sum to 1 again.
torch::Tensor moved_votes(const torch::Tensor& votes, const std::vector<int64_t>& mapping, int64_t classes) {
  torch::Tensor moved = torch::zeros({votes.size(0), classes});
  for (size_t k = 0; k < mapping.size(); ++k) {
    if (mapping[k] >= 0) moved.select(1, mapping[k]).add_(votes.select(1, static_cast<int64_t>(k)));
  }
  return moved / moved.sum(1, true).clamp_min(1e-9);
}

}  // namespace

const char* to_string(Split split) {
  switch (split) {
    case Split::Training:
      return "Training";
    case Split::PublicTest:
      return "PublicTest";
    case Split::PrivateTest:
      return "PrivateTest";
    default:
      return "none";
  }
}

std::optional<Split> find_split(std::string_view word) {
  static const std::map<std::string, Split> words = {{"none", Split::None},
                                                     {"training", Split::Training},
                                                     {"train", Split::Training},
                                                     {"publictest", Split::PublicTest},
                                                     {"validation", Split::PublicTest},
                                                     {"valid", Split::PublicTest},
                                                     {"val", Split::PublicTest},
                                                     {"dev", Split::PublicTest},
                                                     {"privatetest", Split::PrivateTest},
                                                     {"test", Split::PrivateTest},
                                                     {"testing", Split::PrivateTest}};
  const auto found = words.find(to_lower(trim(word)));
  if (found == words.end()) return {};
  return found->second;
}

Split parse_split(const std::string& word) {
  if (const auto split = find_split(word)) return *split;
  throw UserError(fmt::format(
      "unknown split '{}'{} (known: Training, PublicTest, PrivateTest; train, validation and test mean the same)", word,
      did_you_mean(word, {"Training", "PublicTest", "PrivateTest", "train", "validation", "test"})));
}

Dataset Dataset::select(const std::vector<int64_t>& rows) const {
  Dataset chosen;
  chosen.name = name;
  chosen.classes = classes;
  chosen.skipped = skipped;
  chosen.dropped = dropped;
  for (const auto& column : groups) chosen.groups.push_back({column.name, {}});
  const torch::Tensor index = index_tensor(rows);
  chosen.images = images_at(images, rows);
  chosen.labels = labels.index_select(0, index);
  if (votes.defined()) chosen.votes = votes.index_select(0, index);
  for (const int64_t row : rows) {
    chosen.splits.push_back(splits.at(static_cast<size_t>(row)));
    chosen.ids.push_back(ids.at(static_cast<size_t>(row)));
    for (size_t k = 0; k < groups.size(); ++k)
      chosen.groups[k].values.push_back(groups[k].values.at(static_cast<size_t>(row)));
  }
  return chosen;
}

Dataset Dataset::only(Split split) const {
  std::vector<int64_t> rows;
  std::map<Split, int64_t> counts;
  for (int64_t i = 0; i < size(); ++i) {
    const Split of_row = splits[static_cast<size_t>(i)];
    ++counts[of_row];
    if (of_row == split) rows.push_back(i);
  }
  if (!rows.empty()) return select(rows);
  std::vector<std::string> present;
  for (const auto& [each, count] : counts) {
    present.push_back(each == Split::None ? fmt::format("{} images without a split", count)
                                          : fmt::format("{} of {}", count, to_string(each)));
  }
  throw UserError(fmt::format("{}: has no images of split {} (it has {})", name, to_string(split),
                              present.empty() ? "no images at all" : join(present, ", ")));
}

bool Dataset::has(Split split) const {
  return std::find(splits.begin(), splits.end(), split) != splits.end();
}

std::optional<Split> Dataset::resolve_split(const std::string& word) const {
  if (word == "all") return {};
  if (word != "auto") return parse_split(word);
  for (const Split split : {Split::PublicTest, Split::PrivateTest}) {
    if (has(split)) return split;
  }
  return {};
}

Dataset Dataset::recoded(const LabelSet& target, const std::vector<int64_t>& mapping) const {
  Dataset converted = *this;
  converted.classes = target;
  converted.labels = labels.clone();
  auto* label = converted.labels.data_ptr<int64_t>();
  std::vector<int64_t> kept;
  for (int64_t i = 0; i < size(); ++i) {
    const bool labelled = label[i] >= 0;
    if (labelled) label[i] = mapping.at(static_cast<size_t>(label[i]));
    if (!labelled || label[i] >= 0) kept.push_back(i);
  }
  if (votes.defined()) converted.votes = moved_votes(votes, mapping, target.size());
  if (static_cast<int64_t>(kept.size()) == size()) return converted;
  converted = converted.select(kept);
  converted.dropped += size() - converted.size();
  return converted;
}

Dataset Dataset::relabelled(const LabelSet& target) const {
  const std::vector<int64_t> mapping = target.mapping_from(classes);
  const torch::Tensor numbers = labels.contiguous();
  for (int64_t i = 0; i < size(); ++i) {
    const int64_t label = numbers.data_ptr<int64_t>()[i];
    if (label < 0 || mapping.at(static_cast<size_t>(label)) >= 0) continue;
    const bool none_fits = std::all_of(mapping.begin(), mapping.end(), [](int64_t place) { return place < 0; });
    throw UserError(
        fmt::format("{}: has images of class {}, which is not among the classes wanted ({}); {}", name,
                    classes.name(label), join(target.names(), ", "),
                    none_fits ? "--map NAME=CLASS says which of them a class is, --data takes images of those classes"
                              : fmt::format("--map {}=drop leaves them out", classes.name(label))));
  }
  return recoded(target, mapping);
}

std::vector<int64_t> Dataset::rows_not_in(const Dataset& other) const {
  const torch::Tensor mine = images.contiguous(), theirs = other.images.contiguous();
  const bool same_shape = mine.sizes().slice(1) == theirs.sizes().slice(1);
  std::unordered_set<std::string_view> known;
  for (int64_t i = 0; same_shape && i < other.size(); ++i) known.insert(row_bytes(theirs, i));
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < size(); ++i) {
    if (known.find(row_bytes(mine, i)) == known.end()) rows.push_back(i);
  }
  return rows;
}

std::string Dataset::digest() const {
  const torch::Tensor pixels = images.contiguous(), numbers = labels.contiguous();
  Digest digest;
  digest.add(fmt::format("{}\n{}\n", fmt::join(pixels.sizes(), "x"), join(classes.names(), ",")));
  digest.add(pixels.data_ptr<uint8_t>(), pixels.nbytes());
  digest.add(numbers.data_ptr<int64_t>(), numbers.nbytes());
  if (votes.defined()) digest.add(votes.contiguous().data_ptr<float>(), votes.nbytes());
  return digest.hex();
}

torch::Tensor to_float(const torch::Tensor& uint8_images) {
  return uint8_images.to(torch::kFloat32).div_(255);
}

torch::Tensor to_8bit(const torch::Tensor& pixels) {
  return (pixels * 255).round().clamp(0, 255).to(torch::kUInt8);
}

}  // namespace fercli
