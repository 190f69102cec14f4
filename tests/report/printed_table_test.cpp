#include "report/printed_table.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "core/files.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/user_error.hpp"

namespace fercli {

namespace {

using testing::HasSubstr;

PrintedTable hostile() {
  return {"50% of a_b & co",
          {"name", "share", "note"},
          {{"=cmd|' /C'!A0", share_cell({0.25, {0.125, 0.5}, 8}), "<b>, {x}"},
           {"plain", share_cell({0, {0, 1}, 0}), "\x1b[31m"}}};
}

TEST(PrintedTables, AsTextTheColumnsAreInLine) {
  const PrintedTable table{"Faces", {"class", "images"}, {{"😄 Dégoûté", int64_t{5}}, {"Fear", int64_t{12345}}}};
  EXPECT_EQ(format_tables({table}, "text"),
            "Faces\n"
            "  class       images\n"
            "  😄 Dégoûté       5\n"
            "  Fear         12345\n");
}

TEST(PrintedTables, AsTextATableWithoutNamesOfColumnsHasNoHeader) {
  EXPECT_EQ(format_tables({{"", {"", ""}, {{"accuracy", proportion_cell({0.5, {0.25, 0.75}, 4})}}}}, "text"),
            "  accuracy  50.0 % (n = 4, 95 % CI 25.0–75.0 %)\n");
}

TEST(PrintedTables, AsCsvEachCellIsALineWithIntervalAndN) {
  EXPECT_EQ(format_tables({hostile()}, "csv"),
            "table,row,column,value,low,high,n\n"
            "50% of a_b & co,'=cmd|' /C'!A0,share,0.25,0.125,0.5,8\n"
            "50% of a_b & co,'=cmd|' /C'!A0,note,\"<b>, {x}\",,,\n"
            "50% of a_b & co,plain,share,0,0,1,0\n"
            "50% of a_b & co,plain,note,\\u001b[31m,,,\n");
}

TEST(PrintedTables, AsMarkdownWhatStandsInCellsIsNoMarkup) {
  const std::string text = format_tables({hostile()}, "markdown");
  EXPECT_THAT(text, HasSubstr("|:---|---:|:---|\n"));
  EXPECT_THAT(text, HasSubstr("=cmd\\|' /C'!A0 | 25.0 (12.5–50.0) | \\<b\\>, {x} |\n"));
}

TEST(PrintedTables, AsLatexTheyNeedBooktabsAlone) {
  EXPECT_EQ(format_tables({hostile()}, "latex"),
            "% \\usepackage{booktabs}\n"
            "\\begin{table}\n"
            "  \\centering\n"
            "  \\caption{50\\% of a\\_b \\& co}\n"
            "  \\begin{tabular}{lrl}\n"
            "    \\toprule\n"
            "    name & share & note \\\\\n"
            "    \\midrule\n"
            "    =cmd\\textbar{}' /C'!A0 & 25.0 (12.5--50.0) & \\textless{}b\\textgreater{}, \\{x\\} \\\\\n"
            "    plain & -- & \\textbackslash{}u001b{[}31m \\\\\n"
            "    \\bottomrule\n"
            "  \\end{tabular}\n"
            "\\end{table}\n");
}

TEST(PrintedTables, NoCellOfLatexIsAnOptionOfTheLineBefore) {
  PrintedTable table{"", {"file"}, {}};
  for (const char* name : {"[1]", "*", "\"a\""}) table.rows.push_back({name});
  const std::string latex = format_tables({table}, "latex");
  EXPECT_THAT(latex, HasSubstr("\\midrule\n    {[}1] \\\\\n    {*} \\\\\n    {''}a{''} \\\\\n"));
}

TEST(PrintedTables, InLatexWhatPdflatexDoesNotKnowIsNamedByItsNumber) {
  const std::string latex = format_tables({{"é – € « ≤", {"file"}, {{"漢😀.png"}, {"ą"}}}}, "latex");
  EXPECT_THAT(latex, HasSubstr("\\caption{é -- € $\\ll$ $\\leq$}"));
  EXPECT_THAT(latex, HasSubstr("    {[}U+6F22]{[}U+1F600].png \\\\\n    {[}U+0105] \\\\\n"));
}

/// Every character below U+0300, and some above, as a table that the real pdflatex reads.
TEST(PrintedTables, PdflatexCompilesAnyName) {
  if (std::system("pdflatex --version >/dev/null 2>&1") != 0) GTEST_SKIP() << "pdflatex is not installed";
  PrintedTable table{"\\ # ^ ~ {", {"[a", "\\b", ""}, {}};
  for (int code = 0x20; code < 0x300; ++code) {
    const std::string letter =
        code < 0x80 ? std::string(1, static_cast<char>(code))
                    : std::string{static_cast<char>(0xc0 | code >> 6), static_cast<char>(0x80 | (code & 0x3f))};
    if (code % 16 == 0) table.rows.push_back({letter, letter + letter + "*[", ""});
    table.rows.back()[2].text += letter;
  }
  table.rows.push_back({"漢😀 – … † € ≤ ≥ − ∞ → • “‘’” —", "\x1b\xff\n", "%"});
  const test::ScratchFolder scratch;
  write_file(scratch / "t.tex", "\\documentclass{article}\\usepackage{booktabs}\\begin{document}\n" +
                                    format_tables({table}, "latex") + "\\end{document}\n");
  const std::string command = fmt::format("cd '{}' && pdflatex -halt-on-error -interaction=nonstopmode t.tex >out 2>&1",
                                          scratch.path().string());
  EXPECT_EQ(std::system(command.c_str()), 0) << read_file(scratch / "t.log");
}

TEST(PrintedTables, RowsOfMoreOrFewerCellsThanThereAreColumnsAreRefused) {
  const PrintedTable wide{"Groups", {"", "eps 4/255"}, {{"pgd", "50.0", "40.0"}}}, narrow{"Groups", {"", "n"}, {{"a"}}};
  for (const auto& format : table_formats()) {
    EXPECT_EQ(test::message_of([&] { format_tables({wide}, format); }),
              "the table 'Groups' has 2 columns, but a row has 3");
    EXPECT_EQ(test::message_of([&] { format_tables({narrow}, format); }),
              "the table 'Groups' has 2 columns, but a row has 1");
  }
}

TEST(PrintedTables, AnUnknownFormatIsRefused) {
  EXPECT_THROW(format_tables({hostile()}, "docx"), std::invalid_argument);
}

}  // namespace

}  // namespace fercli
