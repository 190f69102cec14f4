#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

namespace fercli {

// Text that came from a file or a user, made harmless for the medium in which it is shown: one function for each.

/// On one line, without anything that steers a terminal or turns the order of letters: such characters, and bytes that
/// are no UTF-8, become \u001b and the like, which is what JSON means by it too.
std::string printable(std::string_view text);

/// `printable`, but lines and tabs stay.
std::string for_terminal(std::string_view text);

/// `for_terminal`, at most 4,000 bytes of it: for messages.
std::string for_message(std::string_view text);

/// One field of a CSV file, on one line: `printable`, quoted where it needs to be, and with an apostrophe before what a
/// spreadsheet would take for a formula (= + - @), before an apostrophe, and before text that begins or ends with a
/// blank. Numbers need none of this.
std::string csv_field(const std::string& text);

/// What `csv_field` made a field of; of a stranger's field, the text without its quotes and outer blanks.
void read_csv_field(std::string_view field, std::string& text);

/// Within a line of Markdown: no links, pictures, HTML, tables, headings or emphasis.
std::string escape_markdown(std::string_view text);

/// Between the tags of HTML or SVG, and in quoted attributes.
std::string escape_html(std::string_view text);

/// Writes to stdout, `for_terminal`. All results for people and programs go this way.
void write_stdout(std::string_view text);

template <class... Arguments>
void print_text(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  write_stdout(fmt::format(format, std::forward<Arguments>(arguments)...));
}

}  // namespace fercli
