#include "report/markdown.hpp"

#include <fmt/format.h>

#include "core/escape.hpp"

namespace fercli {

namespace {

std::string markdown(const Text& text) {
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto strong = [&](size_t k) { return k < text.size() && text[k].style == Span::Style::Strong; };
    if (strong(i) && (i == 0 || !strong(i - 1))) result += "**";
    result += escape_markdown(text[i].text);
    if (strong(i) && !strong(i + 1)) result += "**";
  }
  return result;
}

std::string row_of(const std::vector<Cell>& cells) {
  std::string text = "|";
  for (const auto& cell : cells) {
    const std::string words = markdown(cell.text);
    text += cell.marked ? " **" + words + "** |" : " " + words + " |";
  }
  return text + "\n";
}

std::string image(const std::string& alt, const std::string& path) {
  return fmt::format("![{}]({})", escape_markdown(alt), path);
}

struct MarkdownRenderer {
  std::string operator()(const Paragraph& paragraph) const { return markdown(paragraph.text) + "\n\n"; }

  std::string operator()(const Heading& heading) const { return "### " + markdown(heading.text) + "\n\n"; }

  std::string operator()(const Table& table) const {
    std::string text = markdown(table.caption) + "\n\n" + row_of(table.header) + "|";
    for (size_t i = 0; i < table.header.size(); ++i) text += i == 0 || table.header[i].prose ? ":---|" : "---:|";
    text += "\n";
    for (const auto& row : table.rows) text += row_of(row);
    return text + "\n";
  }

  std::string operator()(const Figure& figure) const {
    return image(figure.alt, figure.stem.generic_string() + ".png") + "\n\n" + markdown(figure.caption) + "\n\n";
  }

  std::string operator()(const Gallery& gallery) const {
    std::string text;
    for (const auto& card : gallery.cards) {
      std::string pictures, rule = "|", captions = "|";
      for (const auto& picture : card.pictures) {
        pictures += " " + image(picture.alt, picture.file.generic_string()) + " |";
        rule += "---|";
        captions += " " + markdown(picture.caption) + " |";
      }
      text += "|" + pictures + "\n" + rule + "\n" + captions + "\n\n" + markdown(card.caption) + "\n\n";
    }
    return text;
  }

  std::string operator()(const Callout& callout) const {
    const bool alarm = callout.kind == Callout::Kind::Alarm || callout.kind == Callout::Kind::Warning;
    std::string text = fmt::format("> {}**{}**\n", alarm ? "⚠ " : "", escape_markdown(characters(callout.title)));
    for (const auto& line : callout.lines) text += ">\n> " + std::string(alarm ? "- " : "") + markdown(line) + "\n";
    return text + "\n";
  }
};

}  // namespace

std::string render_markdown(const Document& document) {
  std::string text = "# " + escape_markdown(document.title) + "\n\n" + markdown(document.subtitle) + "\n\n";
  for (const auto& section : document.sections) {
    if (!section.title.empty()) text += "## " + escape_markdown(section.title) + "\n\n";
    for (const auto& block : section.blocks) text += std::visit(MarkdownRenderer{}, block);
  }
  return text + "---\n\n" + escape_markdown(document.footer) + "\n";
}

}  // namespace fercli
