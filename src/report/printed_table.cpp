#include "report/printed_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <set>
#include <stdexcept>
#include <string_view>

#include "core/error.hpp"
#include "core/escape.hpp"
#include "eval/result.hpp"

namespace fercli {

namespace {

/// In columns of a terminal: one for each character, two for those of four bytes, among which emoji are.
size_t width_of(const std::string& text) {
  size_t width = 0;
  for (const char letter : text) {
    const auto byte = static_cast<unsigned char>(letter);
    width += (byte & 0xc0) == 0x80 ? 0 : byte >= 0xf0 ? 2 : 1;
  }
  return width;
}

PrintedCell of_metric(std::string text, const Metric& metric) {
  PrintedCell cell(std::move(text));
  cell.metric = metric;
  return cell;
}

/// Some tables are made of what saved results say. Throws UserError.
void require_whole_rows(const PrintedTable& table) {
  for (const auto& row : table.rows) {
    if (row.size() == table.columns.size()) continue;
    throw UserError(
        fmt::format("the table '{}' has {} columns, but a row has {}", table.title, table.columns.size(), row.size()));
  }
}

bool has_header(const PrintedTable& table) {
  return std::any_of(table.columns.begin(), table.columns.end(), [](const auto& name) { return !name.empty(); });
}

/// Whether column k holds numbers.
bool is_numeric(const PrintedTable& table, size_t k) {
  return k > 0 && std::any_of(table.rows.begin(), table.rows.end(), [&](const auto& row) { return row[k].number; });
}

std::string text_row(const PrintedTable& table, const std::vector<std::string>& cells,
                     const std::vector<size_t>& widths) {
  std::string line;
  for (size_t k = 0; k < cells.size(); ++k) {
    const std::string space(widths[k] - width_of(cells[k]), ' ');
    line += "  " + (is_numeric(table, k) ? space + cells[k] : cells[k] + space);
  }
  return line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
}

std::string as_text(const PrintedTable& table) {
  std::vector<std::vector<std::string>> lines;
  if (has_header(table)) {
    lines.emplace_back();
    for (const auto& name : table.columns) lines.back().push_back(printable(name));
  }
  for (const auto& row : table.rows) {
    lines.emplace_back();
    for (const auto& cell : row) lines.back().push_back(printable(cell.text));
  }
  std::vector<size_t> widths(table.columns.size(), 0);
  for (const auto& line : lines) {
    for (size_t k = 0; k < line.size(); ++k) widths[k] = std::max(widths[k], width_of(line[k]));
  }
  std::string text = table.title.empty() ? "" : printable(table.title) + "\n";
  for (const auto& line : lines) text += text_row(table, line, widths);
  return text;
}

std::string as_markdown(const PrintedTable& table) {
  std::string text = table.title.empty() ? "" : "**" + escape_markdown(table.title) + "**\n\n", rule = "|";
  text += "|";
  for (size_t k = 0; k < table.columns.size(); ++k) {
    text += " " + escape_markdown(table.columns[k]) + " |";
    rule += is_numeric(table, k) ? "---:|" : ":---|";
  }
  text += "\n" + rule + "\n";
  for (const auto& row : table.rows) {
    text += "|";
    for (const auto& cell : row) text += " " + escape_markdown(cell.text) + " |";
    text += "\n";
  }
  return text;
}

/// What no number stands for is left out.
std::string plain_number(double value) {
  return std::isfinite(value) ? fmt::format("{:.6g}", value) : "";
}

std::string as_csv(const PrintedTable& table) {
  std::string text;
  for (const auto& row : table.rows) {
    for (size_t k = 1; k < row.size(); ++k) {
      const auto& cell = row[k];
      text += fmt::format("{},{},{},", csv_field(table.title), csv_field(row[0].text), csv_field(table.columns[k]));
      if (cell.metric) {
        text += fmt::format("{},{},{},{}\n", plain_number(cell.metric->value), plain_number(cell.metric->interval.low),
                            plain_number(cell.metric->interval.high), cell.metric->n);
      } else {
        text += (cell.number ? cell.text : csv_field(cell.text)) + ",,,\n";
      }
    }
  }
  return text;
}

/// The number of the character of UTF-8 that these bytes are.
uint32_t code_of(std::string_view character) {
  const auto first = static_cast<unsigned char>(character[0]);
  uint32_t code = character.size() == 1 ? first : first & (0xffU >> (character.size() + 1));
  for (const char byte : character.substr(1)) code = code << 6 | (static_cast<unsigned char>(byte) & 0x3fU);
  return code;
}

/// Whether pdflatex knows the character without a package: ASCII, most letters of Latin-1 and Latin Extended-A, …
bool pdflatex_knows(uint32_t code) {
  static const std::set<uint32_t> kUnknown{0xab,  0xbb,  0xd0,  0xde,  0xf0,  0xfe,  0x104, 0x105, 0x110,
                                           0x111, 0x118, 0x119, 0x126, 0x127, 0x12e, 0x12f, 0x138, 0x13f,
                                           0x140, 0x149, 0x14a, 0x14b, 0x166, 0x167, 0x172, 0x173, 0x17f};
  static const std::set<uint32_t> kFurther{0x2014, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x20ac, 0x2122, 0x2192};
  return code < 0x80 || (code >= 0xa0 && code < 0x180 && kUnknown.count(code) == 0) || kFurther.count(code) > 0;
}

std::string escape_latex(const std::string& text) {
  static const std::map<std::string_view, const char*> kMarks{{"\\", "\\textbackslash{}"},
                                                              {"{", "\\{"},
                                                              {"}", "\\}"},
                                                              {"$", "\\$"},
                                                              {"&", "\\&"},
                                                              {"#", "\\#"},
                                                              {"_", "\\_"},
                                                              {"%", "\\%"},
                                                              {"~", "\\textasciitilde{}"},
                                                              {"^", "\\textasciicircum{}"},
                                                              {"<", "\\textless{}"},
                                                              {">", "\\textgreater{}"},
                                                              {"|", "\\textbar{}"},
                                                              {"\"", "{''}"},
                                                              {"[", "{[}"},  // an option of \midrule or \\ else
                                                              {"*", "{*}"},
                                                              {"–", "--"},
                                                              {"…", "\\dots{}"},
                                                              {"†", "\\dag{}"},
                                                              {"«", "$\\ll$"},
                                                              {"»", "$\\gg$"},
                                                              {"≤", "$\\leq$"},
                                                              {"≥", "$\\geq$"},
                                                              {"−", "$-$"},
                                                              {"∞", "$\\infty$"}};
  const std::string plain = printable(text);
  std::string escaped;
  for (size_t i = 0, length = 0; i < plain.size(); i += length) {
    for (length = 1; i + length < plain.size() && (plain[i + length] & 0xc0) == 0x80;) ++length;
    const std::string_view character = std::string_view(plain).substr(i, length);
    const auto mark = kMarks.find(character);
    const uint32_t code = code_of(character);
    if (mark != kMarks.end()) {
      escaped += mark->second;
    } else if (pdflatex_knows(code)) {
      escaped += character;
    } else {
      escaped += fmt::format("{{[}}U+{:04X}]", code);
    }
  }
  return escaped;
}

std::string as_latex(const PrintedTable& table) {
  std::string columns, header, rows;
  for (size_t k = 0; k < table.columns.size(); ++k) {
    columns += is_numeric(table, k) ? "r" : "l";
    header += (k ? " & " : "") + escape_latex(table.columns[k]);
  }
  for (const auto& row : table.rows) {
    rows += "    ";
    for (size_t k = 0; k < row.size(); ++k) rows += (k ? " & " : "") + escape_latex(row[k].text);
    rows += " \\\\\n";
  }
  if (has_header(table)) header = "    " + header + " \\\\\n    \\midrule\n";
  return fmt::format(
      "\\begin{{table}}\n  \\centering\n  \\caption{{{}}}\n  \\begin{{tabular}}{{{}}}\n    \\toprule\n{}{}"
      "    \\bottomrule\n  \\end{{tabular}}\n\\end{{table}}\n",
      escape_latex(table.title), columns, has_header(table) ? header : "", rows);
}

}  // namespace

PrintedCell share_cell(const Metric& metric) {
  PrintedCell cell = of_metric(format_share(metric), metric);
  cell.number = true;
  return cell;
}

PrintedCell proportion_cell(const Metric& metric) {
  return of_metric(format_proportion(metric), metric);
}

PrintedCell score_cell(const Metric& metric) {
  // A single image has no interval.
  if (!std::isfinite(metric.interval.low)) {
    return of_metric(fmt::format("{:.3f} (n = {})", metric.value, metric.n), metric);
  }
  return of_metric(fmt::format("{:.3f} (n = {}, 95 % CI {:.3f}–{:.3f})", metric.value, metric.n, metric.interval.low,
                               metric.interval.high),
                   metric);
}

PrintedCell figure_cell(std::string text) {
  PrintedCell cell(std::move(text));
  cell.number = true;
  return cell;
}

const std::vector<std::string>& table_formats() {
  static const std::vector<std::string> formats{"text", "markdown", "csv", "latex"};
  return formats;
}

std::string format_tables(const std::vector<PrintedTable>& tables, const std::string& format) {
  std::string (*const write)(const PrintedTable&) = format == "text"       ? as_text
                                                    : format == "markdown" ? as_markdown
                                                    : format == "csv"      ? as_csv
                                                    : format == "latex"    ? as_latex
                                                                           : nullptr;
  if (write == nullptr) throw std::invalid_argument("no table format " + format);
  for (const auto& table : tables) require_whole_rows(table);
  std::string text = format == "csv"     ? "table,row,column,value,low,high,n\n"
                     : format == "latex" ? "% \\usepackage{booktabs}\n"
                                         : "";
  for (size_t i = 0; i < tables.size(); ++i) text += (i > 0 && format != "csv" ? "\n" : "") + write(tables[i]);
  return text;
}

}  // namespace fercli
