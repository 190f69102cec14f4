#pragma once

#include <filesystem>
#include <string>
#include <variant>
#include <vector>

namespace fercli {

/// What a report says, apart from how: sections write it, and html.hpp and markdown.hpp render it.

/// A piece of text. Whatever comes from the JSON says from where: the test of the reports follows these pointers.
struct Span {
  enum class Style { Plain, Small, Strong };
  std::string text;  ///< UTF-8, no markup
  Style style = Style::Plain;
  std::string pointer = "";  ///< JSON pointer; "": the program's own words
  std::string format = "";   ///< how the value became `text`: "percent", …, see number_format.hpp
};

using Text = std::vector<Span>;

Text plain(const std::string& words);
Text strong(Text text);
Text operator+(Text left, const Text& right);
std::string characters(const Text& text);  ///< without styles

struct Paragraph {
  Text text;
};

struct Heading {
  Text text;  ///< below the section's own
};

struct Cell {
  Text text;
  bool marked = false;  ///< stands out
  bool prose = false;   ///< words rather than numbers: set to the left, may wrap
};

/// The first cell of each row names it.
struct Table {
  Text caption;
  std::vector<Cell> header;
  std::vector<std::vector<Cell>> rows;
  bool folded = false;  ///< in HTML, closed until it is opened
};

struct Figure {
  std::filesystem::path stem;  ///< below the report's folder, without ".png" or ".svg"
  std::string alt;             ///< what is to be seen
  Text caption;
};

/// Images of one face side by side.
struct Card {
  struct Picture {
    std::filesystem::path file;  ///< PNG below the report's folder
    std::string png;             ///< its bytes
    std::string alt;
    Text caption;
  };
  std::vector<Picture> pictures;
  Text caption;
};

struct Gallery {
  std::vector<Card> cards;
};

struct Callout {
  enum class Kind { Alarm, Warning, Good, Verdict };
  Kind kind;
  Text title;
  std::vector<Text> lines;
};

using Block = std::variant<Paragraph, Heading, Table, Figure, Gallery, Callout>;

struct SectionContent {
  std::string id;     ///< anchor
  std::string title;  ///< "": comes before the first section, and is not listed
  std::vector<Block> blocks;
};

struct Document {
  std::string language;  ///< "en" or "fr"
  std::string title;
  Text subtitle;
  std::string contents_title;  ///< over the list of sections
  std::string footer;
  std::vector<SectionContent> sections;
};

}  // namespace fercli
