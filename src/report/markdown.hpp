#pragma once

#include <string>

#include "report/document.hpp"

namespace fercli {

/// The same in GitHub's Markdown; figures and pictures are references to files below the report's folder.
std::string render_markdown(const Document& document);

}  // namespace fercli
