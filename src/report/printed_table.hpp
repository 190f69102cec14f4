#pragma once

#include <optional>
#include <string>
#include <vector>

#include "eval/measures/metrics.hpp"

namespace fercli {

/// A cell of a table that a command prints: as people read it, and where it is a metric, what it says.
struct PrintedCell {
  PrintedCell(std::string words) : text(std::move(words)) {}
  PrintedCell(const char* words) : text(words) {}
  PrintedCell(int64_t count) : text(std::to_string(count)), number(true) {}

  std::string text;  ///< UTF-8, no markup
  std::optional<Metric> metric = {};
  bool number = false;  ///< set to the right
};

PrintedCell share_cell(const Metric& metric);       ///< "72.3 (67.1–76.9)", in %; n is given elsewhere
PrintedCell proportion_cell(const Metric& metric);  ///< "72.3 % (n = 3589, 95 % CI 70.8–73.7 %)"
PrintedCell score_cell(const Metric& metric);       ///< "0.034 (n = 3589, 95 % CI 0.023–0.045)"
PrintedCell figure_cell(std::string text);          ///< a number, already written

/// The first cell of each row names it.
struct PrintedTable {
  std::string title;
  std::vector<std::string> columns;  ///< of empty names: no header where there need be none
  std::vector<std::vector<PrintedCell>> rows;
};

/// What --format takes: text, markdown, csv, latex.
const std::vector<std::string>& table_formats();

/// Tables as one text:
/// text: columns set in line;
/// markdown: GitHub's;
/// csv: one line per cell, table,row,column,value,low,high,n, a metric as shares and not in %, which holds any number
/// of tables; latex: of the package booktabs. The text of cells is escaped for it. Throws std::invalid_argument:
/// no such format.
std::string format_tables(const std::vector<PrintedTable>& tables, const std::string& format);

}  // namespace fercli
