#include "draw/attack_picture.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "data/image.hpp"
#include "draw/emotion_look.hpp"
#include "draw/lettering.hpp"
#include "eval/measures/difference_picture.hpp"
#include "faces/mat.hpp"

namespace fercli {

namespace {

// Measures in pixels. A face of 48 pixels is enlarged by whole factors, so that its pixels stay square.
constexpr int kPanel = 384, kMiddlePanel = 288, kFigureEdge = 40, kFigureGap = 44, kFigureBar = 30;
constexpr int kFacesTop = 68, kNamesBase = 66, kSureBase = 120, kBarsTop = 164;  // the last three below the faces
constexpr int kGalleryPanel = 144, kGalleryGap = 6, kGalleryText = 46, kGalleryColumns = 4, kGalleryHead = 64;

// The colours of the web page (src/serve/page/page.css).
constexpr Ink kFigurePaper{248, 246, 245}, kFigureInk{34, 27, 23}, kFigureQuiet{112, 96, 85},
    kFigureTrack{234, 227, 223};

cv::Scalar scalar_of(Ink ink) {
  return cv::Scalar(ink.blue, ink.green, ink.red);
}

std::string figure_share(double share, const PictureTexts& texts) {
  return in_language(fmt::format("{:.1f} %", 100 * share), texts.language);
}

std::string top_name(const std::vector<double>& probabilities, const PictureTexts& texts) {
  return texts.classes[static_cast<size_t>(top_of(probabilities))];
}

double top_value(const std::vector<double>& probabilities) {
  return probabilities[static_cast<size_t>(top_of(probabilities))];
}

/// A sheet of paper to draw on.
class Sheet {
 public:
  Sheet(int height, int width) : pixels_(torch::empty({height, width, 3}, torch::kUInt8)), view_(as_mat(pixels_)) {
    view_.setTo(scalar_of(kFigurePaper));
  }

  int columns() const { return view_.cols; }

  void text(const std::string& words, cv::Point left_base, int height, Ink ink) {
    letters_.write(pixels_, words, left_base.x, left_base.y, height, ink);
  }

  /// Made smaller until it fits `room`.
  void centred(const std::string& words, cv::Point middle_base, int height, Ink ink, int room) {
    while (height > 6 && letters_.width(words, height) > room) --height;
    text(words, {middle_base.x - letters_.width(words, height) / 2, middle_base.y}, height, ink);
  }

  /// Ends at `right_base`, made smaller until it fits `room`.
  void to_the_right(const std::string& words, cv::Point right_base, int height, Ink ink, int room) {
    while (height > 6 && letters_.width(words, height) > room) --height;
    text(words, {right_base.x - letters_.width(words, height), right_base.y}, height, ink);
  }

  void box(const cv::Rect& place, Ink ink) { cv::rectangle(view_, place, scalar_of(ink), cv::FILLED); }

  void arrow(cv::Point from, cv::Point to) {
    cv::arrowedLine(view_, from, to, scalar_of(kFigureInk), 4, cv::LINE_AA, 0, 0.1);
  }

  /// uint8 (C,H,W), enlarged to a square.
  void image(const torch::Tensor& image, const cv::Rect& place) {
    const auto colour = image.size(0) == 3 ? image.flip({0}) : image.expand({3, -1, -1});
    const auto rows = colour.permute({1, 2, 0}).contiguous();
    const int way = place.height % static_cast<int>(image.size(1)) == 0 ? cv::INTER_NEAREST : cv::INTER_AREA;
    cv::Mat large;
    cv::resize(as_mat(rows), large, place.size(), 0, 0, way);
    large.copyTo(view_(place));
  }

  torch::Tensor rgb() const { return pixels_.permute({2, 0, 1}).flip({0}).contiguous(); }

 private:
  torch::Tensor pixels_;
  cv::Mat view_;
  Lettering letters_;
};

/// A face with what the network says of it in letters that are read from afar, on a strip of the emotion's colour.
void draw_named_face(Sheet& sheet, const torch::Tensor& face, const std::vector<double>& probabilities,
                     const PictureTexts& texts, int left) {
  const std::string name = top_name(probabilities, texts);
  const int bottom = kFacesTop + kPanel, middle = left + kPanel / 2;
  sheet.image(face, {left, kFacesTop, kPanel, kPanel});
  sheet.box({left, bottom, kPanel, 10}, colour_of(name));
  sheet.centred(display_name(name, texts.language), {middle, bottom + kNamesBase}, 40, kFigureInk, kPanel);
  sheet.centred(figure_share(top_value(probabilities), texts), {middle, bottom + kSureBase}, 22, kFigureQuiet, kPanel);
}

/// One bar per class, in the colour of its emotion.
void draw_figure_bars(Sheet& sheet, const std::vector<double>& probabilities, const PictureTexts& texts, int left) {
  constexpr int kLabel = 116, kNumber = 76;
  const int room = kPanel - kLabel - kNumber, top = kFacesTop + kPanel + kBarsTop;
  for (size_t i = 0; i < probabilities.size(); ++i) {
    const bool wins = static_cast<int64_t>(i) == top_of(probabilities);
    const int y = top + static_cast<int>(i) * kFigureBar;
    const int length = static_cast<int>(std::lround(room * probabilities[i]));
    sheet.box({left + kLabel, y + 8, room, kFigureBar - 16}, kFigureTrack);
    if (length > 0) sheet.box({left + kLabel, y + 8, length, kFigureBar - 16}, colour_of(texts.classes[i]));
    const Ink ink = wins ? kFigureInk : kFigureQuiet;
    sheet.text(display_name(texts.classes[i], texts.language), {left, y + 20}, 11, ink);
    sheet.to_the_right(figure_share(probabilities[i], texts), {left + kPanel, y + 20}, 11, ink, kNumber);
  }
}

/// Name and value of each fact.
std::vector<std::pair<std::string, std::string>> figure_facts(const AttackedImage& image, const PictureTexts& texts) {
  const bool french = texts.language == "fr";
  const auto figure = [&](double value, const std::string& text) {
    return std::isfinite(value) ? in_language(text, texts.language) : std::string("–");
  };
  return {{french ? "plus grand écart" : "largest change", fmt::format("{}/255", std::lround(image.linf * 255))},
          {"L2", figure(image.l2, fmt::format("{:.3f}", image.l2))},
          {"PSNR", figure(image.psnr, fmt::format("{:.1f} dB", image.psnr))},
          {"SSIM", figure(image.ssim, fmt::format("{:.3f}", image.ssim))},
          {"image", fmt::format("{} × {}, 8 bits", image.original.size(2), image.original.size(1))},
          {french ? "attaque" : "attack", texts.attack}};
}

void draw_figure_facts(Sheet& sheet, const AttackedImage& image, const PictureTexts& texts, int left) {
  int y = kFacesTop + kPanel + kBarsTop + 20;
  for (const auto& [name, value] : figure_facts(image, texts)) {
    sheet.text(name, {left, y}, 11, kFigureQuiet);
    const int room = name.size() > 8 ? kMiddlePanel / 2 : kMiddlePanel - 90;
    sheet.to_the_right(value, {left + kMiddlePanel, y}, 11, kFigureInk, room);
    y += kFigureBar;
  }
}

/// Between the faces: what became of the verdict, and what was added.
void draw_middle(Sheet& sheet, const AttackedImage& image, const PictureTexts& texts, int left) {
  const bool french = texts.language == "fr";
  const int middle = left + kMiddlePanel / 2, bottom = kFacesTop + kPanel;
  const bool changed = top_of(image.clean) != top_of(image.after);  // also of a face that it was not sure of
  const std::string outcome = image.success ? (french ? "trompé" : "fooled")
                              : changed     ? (french ? "verdict changé" : "verdict changed")
                                            : (french ? "non atteint" : "not reached");
  sheet.centred(outcome, {middle, kFacesTop + 18}, 16, kFigureInk, kMiddlePanel);
  sheet.arrow({left + 40, kFacesTop + 58}, {left + kMiddlePanel - 40, kFacesTop + 58});
  const int64_t factor = amplification(image.original, image.adversarial);
  sheet.image(coloured_difference(image.original, image.adversarial, factor),
              {left, bottom - kMiddlePanel, kMiddlePanel, kMiddlePanel});
  sheet.centred(fmt::format("perturbation × {}", factor), {middle, bottom + 34}, 13, kFigureQuiet, kMiddlePanel);
}

}  // namespace

int64_t display_factor(const torch::Tensor& image) {
  return std::max<int64_t>(1, kPanel / image.size(1));
}

torch::Tensor draw_attack(const AttackedImage& image, const PictureTexts& texts) {
  const bool french = texts.language == "fr";
  const int rows = std::max<int>(6, static_cast<int>(image.clean.size()));
  const int middle = kFigureEdge + kPanel + kFigureGap, right = middle + kMiddlePanel + kFigureGap;
  Sheet sheet(kFacesTop + kPanel + kBarsTop + rows * kFigureBar + kFigureEdge, right + kPanel + kFigureEdge);
  sheet.text("original", {kFigureEdge, kFacesTop - 16}, 14, kFigureQuiet);
  sheet.text(french ? "adverse" : "adversarial", {right, kFacesTop - 16}, 14, kFigureQuiet);
  draw_named_face(sheet, image.original, image.clean, texts, kFigureEdge);
  draw_middle(sheet, image, texts, middle);
  draw_named_face(sheet, image.adversarial, image.after, texts, right);
  draw_figure_bars(sheet, image.clean, texts, kFigureEdge);
  draw_figure_facts(sheet, image, texts, middle);
  draw_figure_bars(sheet, image.after, texts, right);
  return sheet.rgb();
}

torch::Tensor draw_gallery(const std::vector<AttackedImage>& images, const PictureTexts& texts) {
  const int count = static_cast<int>(std::min(images.size(), kGalleryImages));
  const int columns = std::max(1, std::min(count, kGalleryColumns)), rows = (count + columns - 1) / columns;
  const int cell_width = 2 * kGalleryPanel + kGalleryGap + kFigureGap, cell_height = kGalleryPanel + kGalleryText;
  Sheet sheet(kGalleryHead + rows * cell_height + kFigureEdge / 2, 2 * kFigureEdge + columns * cell_width - kFigureGap);
  sheet.centred(texts.attack, {sheet.columns() / 2, kFigureEdge}, 16, kFigureInk, sheet.columns() - 2 * kFigureEdge);
  for (int i = 0; i < count; ++i) {
    const auto& image = images[static_cast<size_t>(i)];
    int left = kFigureEdge + i % columns * cell_width;
    const int top = kGalleryHead + i / columns * cell_height;
    for (const auto& [face, probabilities] :
         {std::pair{image.original, image.clean}, std::pair{image.adversarial, image.after}}) {
      const std::string name = top_name(probabilities, texts);
      sheet.image(face, {left, top, kGalleryPanel, kGalleryPanel});
      sheet.box({left, top + kGalleryPanel, kGalleryPanel, 5}, colour_of(name));
      sheet.centred(display_name(name, texts.language) + " " + figure_share(top_value(probabilities), texts),
                    {left + kGalleryPanel / 2, top + kGalleryPanel + 25}, 11, image.success ? kFigureInk : kFigureQuiet,
                    kGalleryPanel);
      left += kGalleryPanel + kGalleryGap;
    }
  }
  return sheet.rgb();
}

}  // namespace fercli
