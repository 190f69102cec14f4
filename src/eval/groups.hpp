#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset.hpp"
#include "eval/result_shapes.hpp"

namespace fercli {

/// Groups of fewer images are shown, but take no part in the comparison.
inline constexpr int64_t kFewestOfGroup = 10;

/// Whether images are right, in the order of the data set: as they are, or under attack at one eps.
struct GroupQuantity {
  std::string eps;             ///< "": on unaltered images
  std::vector<int64_t> right;  ///< of each image 1, 0, or -1 where it was not measured
};

struct GroupAtEps {
  std::string eps;
  Metric accuracy;
};

template <class Visitor>
void visit_fields(Visitor& field, GroupAtEps& at) {
  field("eps", at.eps);
  field("accuracy", at.accuracy);
}

struct GroupFigures {
  std::string group;
  Metric accuracy;
  std::vector<GroupAtEps> robust;
};

template <class Visitor>
void visit_fields(Visitor& field, GroupFigures& figures) {
  field("group", figures.group);
  field("n", figures.accuracy.n);
  field("accuracy", figures.accuracy);
  field("robust", figures.robust);
}

/// Of the best and the worst group: of two groups Fisher's exact test, of more the permutation test of the largest gap
/// (group_tests.hpp).
struct GroupGap {
  std::string eps, best, worst;
  Metric difference;
  std::string test;
  double p = 1, p_holm = 1;
};

template <class Visitor>
void visit_fields(Visitor& field, GroupGap& gap) {
  using namespace shape;
  field("eps", gap.eps, "empty: on unaltered images");
  field("best", gap.best);
  field("worst", gap.worst);
  field("difference", gap.difference);
  field("test", gap.test, "", one_of({"Fisher's exact", "permutation"}));
  field("p", gap.p, "", share());
  field("p_holm", gap.p_holm, "corrected for all gaps of the table", share());
}

struct GroupColumnFigures {
  std::string column;
  int64_t unknown = 0;
  std::vector<GroupFigures> groups;
  std::vector<GroupGap> gaps;  ///< none where fewer than two groups have `kFewestOfGroup` images
};

template <class Visitor>
void visit_fields(Visitor& field, GroupColumnFigures& figures) {
  field("column", figures.column);
  field("unknown", figures.unknown, "images of no group");
  field("groups", figures.groups);
  field("gaps", figures.gaps, "of the best and the worst group");
}

/// How good a network is for each group of each column.
struct GroupComparison {
  int64_t fewest = 0, draws = 0;
  std::vector<GroupColumnFigures> columns;
};

template <class Visitor>
void visit_fields(Visitor& field, GroupComparison& comparison) {
  field("fewest", comparison.fewest, "images of a group that is compared");
  field("draws", comparison.draws, "of the permutation test");
  field("columns", comparison.columns);
}

/// The first quantity is the one on unaltered images. p_holm: Holm 1979.
GroupComparison compare_groups(const std::vector<GroupColumn>& columns, const std::vector<GroupQuantity>& quantities,
                               uint64_t seed);

}  // namespace fercli
