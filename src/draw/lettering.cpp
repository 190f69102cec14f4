#include "draw/lettering.hpp"

#include <ft2build.h>
#include FT_FREETYPE_H
#include FT_OUTLINE_H
#include FT_TRUETYPE_TABLES_H

#include <algorithm>
#include <cmath>
#include <list>
#include <map>
#include <vector>

#include "core/error.hpp"
#include "faces/mat.hpp"

// The font, DejaVu Sans, is part of the program: pictures look the same on a machine that has no fonts. FERCLI_FONT is
// its file, which CMake has found.
__asm__(
    ".pushsection .rodata\n.global fercli_font_begin, fercli_font_end\n"
    "fercli_font_begin:\n.incbin \"" FERCLI_FONT "\"\nfercli_font_end:\n.popsection\n");
extern "C" const unsigned char fercli_font_begin[], fercli_font_end[];

namespace fercli {

namespace {

constexpr size_t kKept = 512;  ///< texts
constexpr int kSub = 64;       ///< FreeType counts in 64ths of a pixel

void check_font(FT_Error error) {
  if (error != 0) throw RunError("the program's font cannot be drawn: FreeType reports error " + std::to_string(error));
}

/// UTF-8 to characters; what is no UTF-8 becomes U+FFFD, byte by byte.
std::vector<FT_ULong> characters_of(const std::string& text) {
  std::vector<FT_ULong> characters;
  for (size_t i = 0; i < text.size();) {
    const auto first = static_cast<unsigned char>(text[i]);
    const size_t length = first < 0x80   ? 1
                          : first < 0xc2 ? 0
                          : first < 0xe0 ? 2
                          : first < 0xf0 ? 3
                          : first < 0xf5 ? 4
                                         : 0;
    FT_ULong character = length == 1 ? first : first & (0x7fU >> length);
    bool whole = length > 0 && i + length <= text.size();
    for (size_t k = 1; whole && k < length; ++k) {
      const auto next = static_cast<unsigned char>(text[i + k]);
      whole = (next & 0xc0U) == 0x80;
      character = character << 6U | (next & 0x3fU);
    }
    characters.push_back(whole ? character : 0xfffd);
    i += whole ? length : 1;
  }
  return characters;
}

/// Opacity of a text, 0 to 255; the base line is `base` rows from the top.
struct Mask {
  cv::Mat opacity;
  int base = 0;
};

/// DejaVu Sans at any size.
class Font {
 public:
  Font() {
    check_font(FT_Init_FreeType(&library_));
    const FT_Error error =
        FT_New_Memory_Face(library_, fercli_font_begin, fercli_font_end - fercli_font_begin, 0, &face_);
    if (error != 0) FT_Done_FreeType(library_);
    check_font(error);
    const auto* table = static_cast<const TT_OS2*>(FT_Get_Sfnt_Table(face_, FT_SFNT_OS2));
    capital_ = table != nullptr && table->sCapHeight > 0 ? double(table->sCapHeight) / face_->units_per_EM : 0.73;
  }
  ~Font() { FT_Done_FreeType(library_); }  // with its face
  Font(const Font&) = delete;
  Font& operator=(const Font&) = delete;

  /// `height` of a capital in pixels. One pixel at each end is free.
  Mask draw(const std::string& text, int height) {
    check_font(FT_Set_Char_Size(face_, 0, std::lround(height / capital_ * kSub), 72, 72));
    const auto characters = characters_of(text);
    Mask mask;
    mask.base = height * 3 / 2;
    mask.opacity = cv::Mat::zeros(mask.base + std::max(2, height / 2), width_of(characters), CV_8U);
    FT_Pos pen = kSub;
    FT_UInt last = 0;
    for (const auto character : characters) {
      pen += load(character, &last);
      const FT_GlyphSlot slot = face_->glyph;
      FT_Outline_Translate(&slot->outline, pen % kSub, 0);
      check_font(FT_Render_Glyph(slot, FT_RENDER_MODE_NORMAL));
      lay(*slot, static_cast<int>(pen / kSub) + slot->bitmap_left, mask.base - slot->bitmap_top, mask.opacity);
      pen += advance();
    }
    return mask;
  }

 private:
  /// Makes this the current letter; returns by how much it moves towards the `last` one.
  FT_Pos load(FT_ULong character, FT_UInt* last) {
    const FT_UInt glyph = FT_Get_Char_Index(face_, character);
    FT_Vector kerning{0, 0};
    if (*last != 0) check_font(FT_Get_Kerning(face_, *last, glyph, FT_KERNING_UNFITTED, &kerning));
    check_font(FT_Load_Glyph(face_, glyph, FT_LOAD_NO_BITMAP | FT_LOAD_TARGET_LIGHT));
    *last = glyph;
    return kerning.x;
  }

  FT_Pos advance() const { return (face_->glyph->linearHoriAdvance + 512) / 1024; }  // from 65536ths

  int width_of(const std::vector<FT_ULong>& characters) {
    FT_Pos pen = 0;
    FT_UInt last = 0;
    for (const auto character : characters) {
      pen += load(character, &last);
      pen += advance();
    }
    return static_cast<int>((pen + kSub - 1) / kSub) + 2;
  }

  /// Adds a letter to the text; neighbours may touch.
  static void lay(const FT_GlyphSlotRec& slot, int left, int top, cv::Mat& opacity) {
    const auto& bitmap = slot.bitmap;
    const int last_row = std::min(static_cast<int>(bitmap.rows), opacity.rows - top);
    const int last_column = std::min(static_cast<int>(bitmap.width), opacity.cols - left);
    for (int y = std::max(0, -top); y < last_row; ++y) {
      const auto* source = bitmap.buffer + static_cast<ptrdiff_t>(y) * bitmap.pitch;
      auto* target = opacity.ptr<uint8_t>(top + y) + left;
      for (int x = std::max(0, -left); x < last_column; ++x) target[x] = std::max(target[x], source[x]);
    }
  }

  FT_Library library_ = nullptr;
  FT_Face face_ = nullptr;
  double capital_ = 0;  ///< height of a capital over the font's size
};

void blend(cv::Mat picture, const cv::Mat& opacity, Ink ink) {
  const int colour[3] = {ink.blue, ink.green, ink.red};
  for (int y = 0; y < picture.rows; ++y) {
    auto* pixel = picture.ptr<uint8_t>(y);
    const auto* cover = opacity.ptr<uint8_t>(y);
    for (int x = 0; x < picture.cols; ++x, pixel += 3) {
      if (cover[x] == 0) continue;
      for (int c = 0; c < 3; ++c) {
        pixel[c] = static_cast<uint8_t>(pixel[c] + (colour[c] - pixel[c]) * cover[x] / 255);
      }
    }
  }
}

}  // namespace

std::string in_language(std::string number, const std::string& language) {
  if (language == "fr") std::replace(number.begin(), number.end(), '.', ',');
  return number;
}

struct Lettering::Store {
  using Key = std::pair<std::string, int>;

  const Mask& get(const std::string& text, int height) {
    const Key key{text, height};
    const auto found = masks.find(key);
    if (found != masks.end()) return found->second;
    if (masks.size() >= kKept) {
      masks.erase(order.front());
      order.pop_front();
    }
    order.push_back(key);
    return masks.emplace(key, font.draw(text, height)).first->second;
  }

  Font font;
  std::map<Key, Mask> masks;
  std::list<Key> order;  ///< oldest first
};

Lettering::Lettering() : store_(std::make_unique<Store>()) {}
Lettering::~Lettering() = default;

int Lettering::width(const std::string& text, int height) {
  return store_->get(text, height).opacity.cols;
}

int Lettering::write(const torch::Tensor& bgr, const std::string& text, int left, int base, int height, Ink ink) {
  const Mask& mask = store_->get(text, height);
  const cv::Mat canvas = as_mat(bgr);
  const cv::Point corner(left, base - mask.base);
  const cv::Rect seen = cv::Rect(corner, mask.opacity.size()) & cv::Rect({}, canvas.size());
  if (!seen.empty()) blend(canvas(seen), mask.opacity(seen - corner), ink);
  return mask.opacity.cols;
}

}  // namespace fercli
