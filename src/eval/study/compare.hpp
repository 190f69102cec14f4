#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace fercli {

/// Paired tests between two models of reports (see `read_report`) on the images that both were measured on:
///
///     {"first", "second": names, "images": in common,
///      "tests": [{"condition": "clean" | "pgd Linf 4/255" | …, "n", "both", "only_first", "only_second", "neither",
///                 "first", "second", "difference": Metric, "p", "p_holm", "settings_differ": true | absent}, …]}
///
/// A condition is attack, norm, eps, and where they are not the usual ones goal, mask, surrogate and the missing pixel
/// grid: "pgd Linf 4/255 any-to-Sad mask 0a1b2c3d". Steps, restarts and the like belong to each model's own evaluation;
/// `settings_differ` says where they are not alike, and seeds are not compared.
///
/// p: exact McNemar. p_holm: the same corrected for the number of tests in this list (Holm, Scandinavian Journal of
/// Statistics 1979). Conditions that only one of them has are left out. Images go by id, so
/// results on parts of the same data set can be paired. Throws UserError when they have no image in common, or one of
/// them without outcomes of images, or an id with different labels or pixels (pixels: where both results say them, see
/// `describe_pixels`, and the networks read images of the same shape).
nlohmann::json compare_models(const nlohmann::json& first_report, const std::string& first,
                              const nlohmann::json& second_report, const std::string& second);

}  // namespace fercli
