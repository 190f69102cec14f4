#pragma once

#include <string>

namespace fercli {

constexpr const char* kConfidenceUnit = "share";  ///< of all confidences in answers
constexpr const char* kApiDescription = "/openapi.json";

/// OpenAPI 3.1: the page's file with the schemas of the answers in it.
std::string describe_api();

}  // namespace fercli
