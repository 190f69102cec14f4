#pragma once

#include <string>

namespace fercli {

/// Plain text for a manual page: backslashes, hyphens, quotes and characters beyond ASCII by their names, so that the
/// page is ASCII and an option can be copied from it; what is between backticks in bold. Never begins a request.
std::string roff_text(const std::string& text);

/// The same for an argument of a macro: in quotes where needed, and nothing in bold.
std::string roff_argument(const std::string& text);

/// Lines as they are, indented.
std::string roff_example(const std::string& lines);

/// A manual's further text in a small part of Markdown: `# Title` begins a section and `## Title` a subsection, lines
/// indented by four spaces are an example, `- ` begins an item, and empty lines part paragraphs.
std::string roff_of_markdown(const std::string& markdown);

/// The plain text of a page's lines, for reading commands from it.
std::string text_of_roff(const std::string& page);

}  // namespace fercli
