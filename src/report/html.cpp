#include "report/html.hpp"

#include <fmt/format.h>

#include "core/base64.hpp"
#include "core/escape.hpp"
#include "core/files.hpp"
#include "report/html_style.hpp"

namespace fercli {

namespace {

std::string html(const Span& span) {
  if (span.pointer.empty()) return escape_html(span.text);
  return fmt::format("<span data-json=\"{}\" data-format=\"{}\">{}</span>", escape_html(span.pointer), span.format,
                     escape_html(span.text));
}

const char* tag(Span::Style style) {
  return style == Span::Style::Small ? "small" : style == Span::Style::Strong ? "strong" : "";
}

std::string html(const Text& text) {
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    const std::string name = tag(text[i].style);
    const bool first = i == 0 || text[i - 1].style != text[i].style;
    const bool last = i + 1 == text.size() || text[i + 1].style != text[i].style;
    if (first && !name.empty()) result += "<" + name + ">";
    result += html(text[i]);
    if (last && !name.empty()) result += "</" + name + ">";
  }
  return result;
}

std::string data_uri(const std::string& type, const std::string& bytes) {
  return fmt::format("data:{};base64,{}", type, encode_base64(bytes));
}

/// Letters of the figures' font, or of one of the same width, where it is not installed.
std::string with_font_family(std::string svg) {
  const std::string wanted = "font-family=\"DejaVu Sans\"";
  const std::string family = "font-family=\"DejaVu Sans, Verdana, Arial, sans-serif\"";
  for (size_t place = svg.find(wanted); place != std::string::npos; place = svg.find(wanted, place + family.size())) {
    svg.replace(place, wanted.size(), family);
  }
  return svg;
}

class HtmlRenderer {
 public:
  explicit HtmlRenderer(std::filesystem::path folder) : folder_(std::move(folder)) {}

  std::string operator()(const Paragraph& paragraph) const { return "<p>" + html(paragraph.text) + "</p>\n"; }

  std::string operator()(const Heading& heading) const { return "<h3>" + html(heading.text) + "</h3>\n"; }

  std::string operator()(const Table& table) const {
    std::string text = table.folded ? "<details><summary>" + html(table.caption) + "</summary>\n"
                                    : "<p class=\"caption\">" + html(table.caption) + "</p>\n";
    text += fmt::format("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{}\"><table>\n<thead><tr>",
                        escape_html(characters(table.caption)));
    for (const auto& cell : table.header) {
      text += fmt::format("<th scope=\"col\"{}>{}</th>", classes(cell), html(cell.text));
    }
    text += "</tr></thead>\n<tbody>\n";
    for (const auto& row : table.rows) text += html_row(row);
    return text + (table.folded ? "</tbody></table></div></details>\n" : "</tbody></table></div>\n");
  }

  std::string operator()(const Figure& figure) const {
    const auto svg = with_font_family(read_file(folder_ / (figure.stem.string() + ".svg")));
    return fmt::format(
        "<figure><div class=\"scroll\" tabindex=\"0\"><img class=\"wide\" alt=\"{}\" src=\"{}\"></div>"
        "<figcaption>{}</figcaption></figure>\n",
        escape_html(figure.alt), data_uri("image/svg+xml", svg), html(figure.caption));
  }

  std::string operator()(const Gallery& gallery) const {
    std::string text = "<div class=\"gallery\">\n";
    for (const auto& card : gallery.cards) {
      text += "<figure class=\"card\"><div class=\"faces\">";
      for (const auto& picture : card.pictures) {
        text += fmt::format("<div class=\"face\"><img alt=\"{}\" src=\"{}\">{}</div>", escape_html(picture.alt),
                            data_uri("image/png", picture.png), html(picture.caption));
      }
      text += "</div><figcaption>" + html(card.caption) + "</figcaption></figure>\n";
    }
    return text + "</div>\n";
  }

  std::string operator()(const Callout& callout) const {
    static const char* const kClasses[] = {"alarm", "warning", "good", "verdict"};
    std::string text =
        fmt::format("<div class=\"callout {}\"{}><p class=\"title\">{}</p>\n", kClasses[static_cast<int>(callout.kind)],
                    callout.kind == Callout::Kind::Alarm ? " role=\"alert\"" : "", html(callout.title));
    const bool list = callout.kind != Callout::Kind::Verdict && callout.kind != Callout::Kind::Good;
    if (list) text += "<ul>";
    for (const auto& line : callout.lines) {
      text += fmt::format(list ? "<li>{}</li>\n" : "<p>{}</p>\n", html(line));
    }
    return text + (list ? "</ul></div>\n" : "</div>\n");
  }

 private:
  static std::string classes(const Cell& cell) {
    if (!cell.marked && !cell.prose) return "";
    return fmt::format(" class=\"{}{}{}\"", cell.marked ? "marked" : "", cell.marked && cell.prose ? " " : "",
                       cell.prose ? "prose" : "");
  }

  static std::string html_row(const std::vector<Cell>& row) {
    std::string text = "<tr>";
    for (size_t i = 0; i < row.size(); ++i) {
      text += i == 0 ? fmt::format("<th scope=\"row\">{}</th>", html(row[i].text))
                     : fmt::format("<td{}>{}</td>", classes(row[i]), html(row[i].text));
    }
    return text + "</tr>\n";
  }

  std::filesystem::path folder_;
};

std::string contents(const Document& document) {
  std::string text = fmt::format("<nav id=\"contents\" aria-label=\"{0}\"><strong>{0}</strong>\n<ol>",
                                 escape_html(document.contents_title));
  for (const auto& section : document.sections) {
    if (!section.title.empty()) {
      text += fmt::format("<li><a href=\"#{}\">{}</a></li>\n", section.id, escape_html(section.title));
    }
  }
  // Where the list cannot stay in sight, a way back to it does.
  return text +
         fmt::format("</ol></nav>\n<a class=\"up\" href=\"#contents\">{}</a>\n", escape_html(document.contents_title));
}

}  // namespace

std::string render_html(const Document& document, const std::filesystem::path& folder) {
  const HtmlRenderer renderer(folder);
  std::string text = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"{}\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{}</title>\n<style>{}</style>\n"
      "</head>\n<body>\n<main>\n<header><h1>{}</h1>\n<p class=\"subtitle\">{}</p></header>\n",
      document.language, escape_html(document.title), kReportStyle, escape_html(document.title),
      html(document.subtitle));
  bool listed = false;  // the contents follow the first section: what matters comes first
  for (const auto& section : document.sections) {
    text += fmt::format("<section id=\"{}\">\n", section.id);
    if (!section.title.empty()) text += "<h2>" + escape_html(section.title) + "</h2>\n";
    for (const auto& block : section.blocks) text += std::visit(renderer, block);
    text += "</section>\n";
    if (!section.title.empty() && !std::exchange(listed, true)) text += contents(document);
  }
  return text + "<footer>" + escape_html(document.footer) + "</footer>\n</main>\n</body>\n</html>\n";
}

}  // namespace fercli
