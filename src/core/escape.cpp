#include "core/escape.hpp"

#include <cctype>
#include <cstdint>

#include "core/standard_output.hpp"
#include "core/text.hpp"

namespace fercli {

namespace {

constexpr size_t kLongestMessage = 4000;

struct Character {
  uint32_t code = 0;
  size_t bytes = 0;  ///< 0: no UTF-8
};

/// The character at this place, by RFC 3629: no overlong forms, no surrogates.
Character character_at(std::string_view text, size_t place) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[place + i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return {first, 1};
  const size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() - place < length) return {};
  uint32_t code = first & (0xff >> (length + 1));
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    code = code << 6 | (byte(i) & 0x3f);
  }
  constexpr uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code < kSmallest[length] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return {};
  return {code, length};
}

/// Control characters, and those that are not seen but change what is: direction, separators, tags, fillers.
bool steers(uint32_t code) {
  return code < 0x20 || (code >= 0x7f && code <= 0x9f) || code == 0xad || code == 0x61c || code == 0x180e ||
         (code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
         (code >= 0x2060 && code <= 0x206f) || code == 0xfeff || (code >= 0xfff0 && code <= 0xfffb) ||
         (code >= 0xe0000 && code <= 0xe0fff) || (code & 0xfffe) == 0xfffe;
}

std::string as_escape(uint32_t code) {
  if (code < 0x10000) return fmt::format("\\u{:04x}", code);
  const uint32_t rest = code - 0x10000;
  return fmt::format("\\u{:04x}\\u{:04x}", 0xd800 + (rest >> 10), 0xdc00 + (rest & 0x3ff));
}

std::string visible(std::string_view text, std::string_view kept) {
  std::string result;
  for (size_t place = 0; place < text.size();) {
    const Character character = character_at(text, place);
    if (character.bytes == 0) {
      result += "\\ufffd";
      ++place;
      continue;
    }
    const bool stays = character.code < 0x80 && kept.find(static_cast<char>(character.code)) != std::string_view::npos;
    if (steers(character.code) && !stays) {
      result += as_escape(character.code);
    } else {
      result.append(text, place, character.bytes);
    }
    place += character.bytes;
  }
  return result;
}

/// What a spreadsheet would take for a formula, and what readers would take off: outer blanks, a first apostrophe.
bool needs_apostrophe(std::string_view text) {
  return !text.empty() &&
         (std::string_view("=+-@' ").find(text.front()) != std::string_view::npos || text.back() == ' ');
}

std::string_view without_outer_blanks(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  return first == std::string_view::npos ? "" : text.substr(first, text.find_last_not_of(" \t") + 1 - first);
}

}  // namespace

std::string printable(std::string_view text) {
  return visible(text, "");
}

std::string for_terminal(std::string_view text) {
  return visible(text, "\n\t");
}

std::string for_message(std::string_view text) {
  if (text.size() <= kLongestMessage) return for_terminal(text);
  return for_terminal(beginning_of(text, kLongestMessage)) + "…";
}

std::string csv_field(const std::string& text) {
  std::string field = printable(text);
  if (needs_apostrophe(field)) field.insert(0, "'");
  if (field.find_first_of(",\";") == std::string::npos && (field.empty() || field.back() != ' ')) return field;
  std::string quoted = "\"";
  for (const char letter : field) quoted += letter == '"' ? std::string("\"\"") : std::string(1, letter);
  return quoted + "\"";
}

void read_csv_field(std::string_view field, std::string& text) {
  field = without_outer_blanks(field);
  const bool quoted = field.size() >= 2 && field.front() == '"' && field.back() == '"';
  if (quoted) field = field.substr(1, field.size() - 2);
  std::string single;
  if (quoted && field.find("\"\"") != std::string_view::npos) {
    for (size_t i = 0; i < field.size(); ++i) {
      single += field[i];
      if (field.substr(i, 2) == "\"\"") ++i;
    }
    field = single;
  }
  const bool has_apostrophe = !field.empty() && field.front() == '\'' && needs_apostrophe(field.substr(1));
  text = has_apostrophe ? field.substr(1) : without_outer_blanks(field);
}

std::string escape_markdown(std::string_view text) {
  constexpr std::string_view kMarks = "\\`*_[]<>|&~";
  const std::string shown = visible(text, "\n");
  std::string result;
  for (size_t i = 0; i < shown.size(); ++i) {
    const char letter = shown[i];
    const bool heading = letter == '#' && (i == 0 || shown[i - 1] == '\n');
    const auto is_w = [&](size_t place) { return shown[place] == 'w' || shown[place] == 'W'; };
    const bool address = (letter == ':' && shown.compare(i, 3, "://") == 0) ||
                         (letter == '.' && i >= 3 && is_w(i - 1) && is_w(i - 2) && is_w(i - 3));
    const auto is_of_word = [&](size_t place) { return std::isalnum(static_cast<unsigned char>(shown[place])) != 0; };
    const bool inside_word = letter == '_' && i > 0 && i + 1 < shown.size() && is_of_word(i - 1) && is_of_word(i + 1);
    if ((kMarks.find(letter) != std::string_view::npos && !inside_word) || heading || address || letter == '@') {
      result += '\\';
    }
    result += letter == '\n' ? ' ' : letter;
  }
  return result;
}

std::string escape_html(std::string_view text) {
  std::string result;
  for (const char letter : visible(text, "\n\t")) {
    switch (letter) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      case '\'':
        result += "&#39;";
        break;
      default:
        result += letter;
    }
  }
  return result;
}

void write_stdout(std::string_view text) {
  const std::string shown = for_terminal(text);
  write_remembering(shown.data(), shown.size());
}

}  // namespace fercli
