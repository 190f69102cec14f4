#include "commands/options/column_table.hpp"

#include "core/escape.hpp"
#include "report/printed_table.hpp"

namespace fercli {

void print_columns(const std::vector<CsvColumn>& columns, const std::string& format) {
  PrintedTable table{"", {"column", "unit", "range", "empty", "meaning"}, {}};
  for (const auto& column : columns) {
    table.rows.push_back({column.name, column.unit, column.range(), column.empty, column.meaning});
  }
  write_stdout(format_tables({table}, format));
}

}  // namespace fercli
