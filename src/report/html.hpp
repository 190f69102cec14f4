#pragma once

#include <filesystem>
#include <string>

#include "report/document.hpp"

namespace fercli {

/// One page that needs nothing else: figures (SVG files below `folder`) and pictures are inside it, there is no script,
/// and no address that loads. Each value of the JSON is in an element with the attributes data-json (its pointer)
/// and data-format. Throws UserError when a figure cannot be read.
std::string render_html(const Document& document, const std::filesystem::path& folder);

}  // namespace fercli
