#include "commands/docs/roff.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "core/text.hpp"

namespace fercli {

namespace {

/// How many bytes the UTF-8 character that begins with this byte has.
size_t utf8_length(char first) {
  const auto byte = static_cast<unsigned char>(first);
  return byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1;
}

/// The character at `place`, which moves behind it, by its name in roff: \[u2026].
std::string named_character(const std::string& text, size_t& place) {
  const size_t length = utf8_length(text[place]);
  uint32_t code = static_cast<unsigned char>(text[place]) & (0xFFu >> (length + 1));
  for (size_t i = 1; i < length && place + i < text.size(); ++i) {
    code = (code << 6) | (static_cast<unsigned char>(text[place + i]) & 0x3Fu);
  }
  place += length;
  return fmt::format("\\[u{:04X}]", code);
}

std::string escaped(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    if (static_cast<unsigned char>(text[i]) >= 0x80) {
      out += named_character(text, i);
      continue;
    }
    switch (text[i]) {
      case '\\':
        out += "\\e";
        break;
      case '-':
        out += "\\-";
        break;
      case '\'':
        out += "\\(aq";
        break;
      case '"':
        out += "\\(dq";
        break;
      case '`':
        out += "\\(ga";
        break;
      case '^':
        out += "\\(ha";
        break;
      case '~':
        out += "\\(ti";
        break;
      default:
        out += text[i];
    }
    ++i;
  }
  return out;
}

/// A line that begins with a dot would be a request.
std::string never_a_request(std::string line) {
  return line.empty() || line[0] != '.' ? line : "\\&" + line;
}

/// Gathers the lines of one block at a time.
class MarkdownReader {
 public:
  std::string read(const std::string& markdown) {
    for (const auto& line : split_lines(markdown)) {
      if (line.rfind("    ", 0) == 0) {
        end_text();
        example_ += line.substr(4) + "\n";
        continue;
      }
      end_example();
      if (line.rfind("# ", 0) == 0) {
        heading(".SH ", to_upper(line.substr(2)));
      } else if (line.rfind("## ", 0) == 0) {
        heading(".SS ", line.substr(3));
      } else if (line.rfind("- ", 0) == 0) {
        end_text();
        item_ = true;
        text_ = line.substr(2);
      } else if (trim(line).empty()) {
        end_text();
      } else {
        text_ += (text_.empty() ? "" : " ") + trim(line);
      }
    }
    end_example();
    end_text();
    return out_;
  }

 private:
  void heading(const char* macro, const std::string& title) {
    end_text();
    out_ += macro + roff_argument(title) + "\n";
    after_heading_ = true;
  }

  void begin_block() {
    if (!after_heading_) out_ += ".PP\n";
    after_heading_ = false;
  }

  void end_text() {
    if (text_.empty()) return;
    if (item_) {
      out_ += ".IP \\(bu 2\n";
      after_heading_ = false;
    } else {
      begin_block();
    }
    out_ += roff_text(text_) + "\n";
    text_.clear();
    item_ = false;
  }

  void end_example() {
    if (example_.empty()) return;
    begin_block();
    out_ += roff_example(example_);
    example_.clear();
  }

  std::string out_, text_, example_;
  bool item_ = false, after_heading_ = true;
};

}  // namespace

std::string roff_text(const std::string& text) {
  std::string out;
  size_t begin = 0;
  for (size_t open; (open = text.find('`', begin)) != std::string::npos;) {
    const size_t close = text.find('`', open + 1);
    if (close == std::string::npos) break;
    out += escaped(text.substr(begin, open - begin));
    out += "\\fB" + escaped(text.substr(open + 1, close - open - 1)) + "\\fR";
    begin = close + 1;
  }
  return never_a_request(out + escaped(text.substr(begin)));
}

std::string roff_argument(const std::string& text) {
  return '"' + escaped(text) + '"';
}

std::string roff_example(const std::string& lines) {
  std::string out = ".RS 4\n.nf\n";
  for (const auto& line : split_lines(lines)) out += never_a_request(escaped(line)) + "\n";
  return out + ".fi\n.RE\n";
}

std::string roff_of_markdown(const std::string& markdown) {
  return MarkdownReader().read(markdown);
}

std::string text_of_roff(const std::string& page) {
  const std::vector<std::pair<std::string, std::string>> names{
      {"\\fB", ""},   {"\\fI", ""},   {"\\fR", ""},   {"\\-", "-"}, {"\\(aq", "'"},     {"\\(dq", "\""},
      {"\\(ga", "`"}, {"\\(ha", "^"}, {"\\(ti", "~"}, {"\\&", ""},  {"\\[u2026]", "…"}, {"\\e", "\\"}};
  std::string out;
  for (size_t i = 0; i < page.size();) {
    size_t length = 1;
    std::string text(1, page[i]);
    for (const auto& [name, meaning] : names) {
      if (page.compare(i, name.size(), name) != 0) continue;
      length = name.size();
      text = meaning;
      break;
    }
    out += text;
    i += length;
  }
  return out;
}

}  // namespace fercli
