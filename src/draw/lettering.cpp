#include "draw/lettering.hpp"

#include <algorithm>
#include <list>
#include <map>
#include <opencv2/imgproc.hpp>

#include "faces/mat.hpp"

namespace fercli {

namespace {

constexpr int kFace = cv::FONT_HERSHEY_DUPLEX;
constexpr int kCapital = 21;   ///< height of a capital of this face at scale 1
constexpr int kLarge = 4;      ///< text is drawn this many times too large, then shrunk
constexpr size_t kKept = 512;  ///< texts

enum class Accent { None, Acute, Grave, Circumflex, Diaeresis, Cedilla };

struct Letter {
  std::string ascii;
  Accent accent = Accent::None;
};

const std::map<std::string, Letter>& accented_letters() {
  static const std::map<std::string, Letter> letters{{"é", {"e", Accent::Acute}},
                                                     {"è", {"e", Accent::Grave}},
                                                     {"ê", {"e", Accent::Circumflex}},
                                                     {"ë", {"e", Accent::Diaeresis}},
                                                     {"à", {"a", Accent::Grave}},
                                                     {"â", {"a", Accent::Circumflex}},
                                                     {"î", {"i", Accent::Circumflex}},
                                                     {"ï", {"i", Accent::Diaeresis}},
                                                     {"ô", {"o", Accent::Circumflex}},
                                                     {"ù", {"u", Accent::Grave}},
                                                     {"û", {"u", Accent::Circumflex}},
                                                     {"ç", {"c", Accent::Cedilla}},
                                                     {"É", {"E", Accent::Acute}},
                                                     {"È", {"E", Accent::Grave}},
                                                     {"À", {"A", Accent::Grave}},
                                                     {"Ç", {"C", Accent::Cedilla}},
                                                     {"’", {"'"}},
                                                     {"–", {"-"}},
                                                     {"×", {"x"}},
                                                     {"→", {"->"}},
                                                     {"…", {"..."}}};
  return letters;
}

/// UTF-8 to letters; characters that are neither ASCII nor in the table become "?".
std::vector<Letter> letters_of(const std::string& text) {
  std::vector<Letter> letters;
  for (size_t i = 0; i < text.size();) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const size_t length = byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
    const auto found = accented_letters().find(text.substr(i, length));
    if (found != accented_letters().end()) {
      letters.push_back(found->second);
    } else {
      letters.push_back({length == 1 ? std::string(1, text[i]) : "?"});
    }
    i += length;
  }
  return letters;
}

int advance_of(const std::string& ascii, double scale) {
  const int both = cv::getTextSize(ascii + ascii, kFace, scale, 1, nullptr).width;
  return both - cv::getTextSize(ascii, kFace, scale, 1, nullptr).width;
}

/// The strokes of an accent for a letter whose middle is at x, in units of the capital's height `cap`.
void draw_accent(cv::Mat& mask, const Letter& letter, double x, double base, double cap, int thickness) {
  const bool capital = letter.ascii[0] >= 'A' && letter.ascii[0] <= 'Z';
  const double top = base - cap * (capital ? 1.12 : 0.84), low = cap * 0.02, rise = cap * 0.22, reach = cap * 0.15;
  const auto stroke = [&](double x0, double y0, double x1, double y1) {
    cv::line(mask, cv::Point2d(x + x0, y0), cv::Point2d(x + x1, y1), 255, thickness, cv::LINE_AA);
  };
  switch (letter.accent) {
    case Accent::Acute:
      return stroke(-reach * 0.5, top - low, reach, top - rise);
    case Accent::Grave:
      return stroke(reach * 0.5, top - low, -reach, top - rise);
    case Accent::Circumflex:
      stroke(-reach * 1.1, top - low, 0, top - rise);
      return stroke(0, top - rise, reach * 1.1, top - low);
    case Accent::Diaeresis:
      for (const double side : {-1.0, 1.0}) {
        cv::circle(mask, cv::Point2d(x + side * reach, top - rise / 2), thickness, 255, cv::FILLED, cv::LINE_AA);
      }
      return;
    case Accent::Cedilla:
      stroke(0, base, reach * 0.6, base + cap * 0.14);
      return stroke(reach * 0.6, base + cap * 0.14, -reach * 0.5, base + cap * 0.24);
    case Accent::None:
      return;
  }
}

/// Opacity of a text, 0 to 255; the base line is `base` rows from the top.
struct Mask {
  cv::Mat opacity;
  int base = 0;
};

Mask draw_mask(const std::string& text, int height) {
  const double cap = height * kLarge, scale = cap / kCapital;
  const int thickness = std::max(1, static_cast<int>(cap / 9));
  const auto letters = letters_of(text);
  double width = thickness;
  for (const auto& letter : letters) width += advance_of(letter.ascii, scale);
  const auto above = static_cast<int>(cap * 1.5), below = static_cast<int>(cap * 0.5);
  cv::Mat large = cv::Mat::zeros(above + below, static_cast<int>(width) + 2 * kLarge, CV_8U);
  double x = thickness / 2.0;
  for (const auto& letter : letters) {
    const int advance = advance_of(letter.ascii, scale);
    cv::putText(large, letter.ascii, cv::Point2d(x, above), kFace, scale, 255, thickness, cv::LINE_AA);
    draw_accent(large, letter, x + advance / 2.0, above, cap, thickness);
    x += advance;
  }
  Mask mask;
  cv::resize(large, mask.opacity, {large.cols / kLarge, large.rows / kLarge}, 0, 0, cv::INTER_AREA);
  mask.base = above / kLarge;
  return mask;
}

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
    return masks.emplace(key, draw_mask(text, height)).first->second;
  }

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
