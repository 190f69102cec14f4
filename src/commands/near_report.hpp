#pragma once

#include "data/near_duplicates.hpp"
#include "eval/result_shapes.hpp"
#include "report/printed_table.hpp"

namespace fercli {

template <class Visitor>
void visit_fields(Visitor& field, Leak& leak) {
  field("from", std::string(to_string(leak.from)));
  field("into", std::string(to_string(leak.into)));
  field("images", leak.images, "of `from` that are in `into` too");
  field("other_label", leak.other_label, "of them, those under another label");
  field("share", proportion(leak.images, leak.total));
}

/// A row of a data set, as the audit names it.
struct NamedImage {
  std::string id, split, label;  ///< label: "" where there is none
};

template <class Visitor>
void visit_fields(Visitor& field, NamedImage& image) {
  field("id", image.id);
  field("split", image.split);
  field("label", image.label);
}

NamedImage named_image(const Dataset& data, int64_t row);

struct NamedPair {
  std::vector<NamedImage> images;
  NearPair found;
};

template <class Visitor>
void visit_fields(Visitor& field, NamedPair& pair) {
  field("images", pair.images, "two");
  field("correlation", pair.found.correlation, "of their pixels where they are alike, up to 1");
  field("mirrored", pair.found.mirrored);
  field("right", pair.found.right, "where the second has the first's content, in 48ths of the side");
  field("down", pair.found.down, "the same");
}

/// The near-duplicates of a data set, which correlate by `min_correlation` or more.
struct NearDuplicates {
  double min_correlation = 0;
  NearReport report;
  std::vector<NamedPair> pairs;
};

template <class Visitor>
void visit_fields(Visitor& field, NearDuplicates& near) {
  field("min_correlation", near.min_correlation);
  field("images", near.report.images, "in at least one pair");
  field("mirrored", near.report.mirrored, "pairs");
  field("shifted", near.report.shifted, "pairs");
  field("conflicting", near.report.conflicting, "pairs whose labels differ");
  field("across_splits", near.report.across_splits, "pairs");
  field("leaks", near.report.leaks, "images without an equal copy in the other split");
  field("pairs", near.pairs);
}

NearDuplicates with_names(const Dataset& data, NearReport report, double min_correlation);

/// How `fercli data audit` shows them; `n`: all images.
PrintedTable near_table(const NearDuplicates& near, int64_t n);

/// The rows of leaks in a table: `words` comes between the two splits' names.
void add_leak_rows(const std::vector<Leak>& leaks, const std::string& words, PrintedTable& table);

/// uint8 (3,H,W): pairs side by side with their correlation, "mirrored" and shift below, the least alike first, at most
/// 60 of them.
torch::Tensor near_sheet(const Dataset& data, const NearReport& report);

}  // namespace fercli
