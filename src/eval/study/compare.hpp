#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "eval/measures/mcnemar.hpp"

namespace fercli {

/// Under one condition: "clean", or attack, norm, eps, and where they are not the usual ones goal, mask, surrogate,
/// draws of an expectation and the missing pixel grid: "pgd Linf 4/255 any-to-sad mask 0a1b2c3d".
struct PairedTest {
  std::string condition;
  PairedFigures figures;
  double p_holm = 1;  ///< `figures.p`, corrected for the tests of a comparison
  std::optional<bool> settings_differ;
};

template <class Visitor>
void visit_fields(Visitor& field, PairedTest& test) {
  field("condition", test.condition, "clean, or attack, norm and eps");
  visit_fields(field, test.figures);
  field("p_holm", test.p_holm, "after Holm's correction for the tests of this list");
  field.optional("settings_differ", test.settings_differ, "");
}

struct Comparison {
  std::string first, second;
  int64_t images = 0;
  std::vector<PairedTest> tests;
};

template <class Visitor>
void visit_fields(Visitor& field, Comparison& comparison) {
  field("first", comparison.first);
  field("second", comparison.second);
  field("images", comparison.images, "that both were measured on");
  field("tests", comparison.tests);
}

/// Paired tests between two models of reports (see `read_report`) on the images that both were measured on.
///
/// Steps, restarts and the like belong to each model's own evaluation; `settings_differ` says where they are not alike,
/// and seeds are not compared. Conditions that only one of them has are left out. Images go by id, so results on parts
/// of the same data set can be paired. Throws UserError when they have no image in common, or one of them without
/// outcomes of images, or an id with different labels or pixels (pixels: where both results say them, see
/// `describe_pixels`, and the networks read images of the same shape).
Comparison compare_models(const nlohmann::json& first_report, const std::string& first,
                          const nlohmann::json& second_report, const std::string& second);

}  // namespace fercli
