#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace fercli {

/// Paired tests between two models of reports (see `read_report`) on the images that both were measured on:
///
///     {"first", "second": names, "images": in common,
///      "tests": [{"condition": "clean" | "pgd Linf 4/255" | …, "n", "both", "only_first", "only_second", "neither",
///                 "first", "second", "difference": Metric, "p", "p_holm"}, …]}
///
/// p: exact McNemar. p_holm: the same corrected for the number of tests in this list (Holm, Scandinavian Journal of
/// Statistics 1979). Conditions that only one of them has are left out. Images go by id. Throws UserError when they
/// have no image in common, or one of them without outcomes of images, or an id with different labels.
nlohmann::json compare_models(const nlohmann::json& first_report, const std::string& first,
                              const nlohmann::json& second_report, const std::string& second);

}  // namespace fercli
