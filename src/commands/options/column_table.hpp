#pragma once

#include <string>
#include <vector>

#include "live/face_columns.hpp"

namespace fercli {

/// What the columns of a CSV mean, on stdout; `format`: see `format_tables`.
void print_columns(const std::vector<CsvColumn>& columns, const std::string& format = "text");

}  // namespace fercli
