#include "draw/attack_picture.hpp"

#include <fmt/format.h>

#include <opencv2/imgproc.hpp>

#include "data/image.hpp"
#include "eval/measures/difference_picture.hpp"

namespace fercli {

namespace {

constexpr int kPanel = 384, kPictureMargin = 36, kPanelGap = 30, kTitle = 86, kHeading = 46, kBar = 26;
constexpr int kGalleryPanel = 144, kGalleryGap = 6, kGalleryText = 46, kGalleryColumns = 4;
const cv::Scalar kPicturePaper(250, 250, 250), kInk(40, 35, 35), kCaptionGrey(130, 125, 125), kBarTrack(232, 230, 230);
const cv::Scalar kBefore(150, 95, 30), kAfter(60, 60, 200), kPaleBlue(205, 190, 180);  // BGR: blue, red, pale blue

/// OpenCV's letters are ASCII: é becomes e, and so on.
std::string ascii(const std::string& text) {
  static const std::vector<std::pair<std::string, std::string>> folds{
      {"é", "e"}, {"è", "e"}, {"ê", "e"}, {"à", "a"}, {"ô", "o"}, {"û", "u"}, {"î", "i"}, {"ç", "c"}, {"É", "E"}};
  std::string out = text;
  for (const auto& [from, to] : folds) {
    for (size_t place = out.find(from); place != std::string::npos; place = out.find(from))
      out.replace(place, from.size(), to);
  }
  return out;
}

struct Font {
  double scale;
  int thickness = 1;
  int face = cv::FONT_HERSHEY_DUPLEX;
};
constexpr Font kTitleFont{0.95}, kHeadingFont{0.72}, kSmallFont{0.5, 1, cv::FONT_HERSHEY_SIMPLEX};

int width_of(const std::string& text, const Font& font) {
  return cv::getTextSize(ascii(text), font.face, font.scale, font.thickness, nullptr).width;
}

void write(cv::Mat& canvas, const std::string& text, cv::Point left_base, const Font& font, const cv::Scalar& colour) {
  cv::putText(canvas, ascii(text), left_base, font.face, font.scale, colour, font.thickness, cv::LINE_AA);
}

void write_centred(cv::Mat& canvas, const std::string& text, cv::Point middle_base, Font font, const cv::Scalar& colour,
                   int room) {
  const int wide = width_of(text, font);
  if (wide > room) font.scale *= static_cast<double>(room) / wide;
  write(canvas, text, {middle_base.x - std::min(wide, room) / 2, middle_base.y}, font, colour);
}

/// uint8 (C,H,W) -> BGR with square pixels, `side` high and wide as far as a whole factor allows.
cv::Mat panel(const torch::Tensor& image, int side) {
  const auto colour =
      (image.size(0) == 3 ? image.flip({0}) : image.expand({3, -1, -1})).permute({1, 2, 0}).contiguous();
  const cv::Mat view(static_cast<int>(image.size(1)), static_cast<int>(image.size(2)), CV_8UC3,
                     colour.data_ptr<uint8_t>());
  cv::Mat large;
  cv::resize(view, large, {side, side}, 0, 0, side % view.rows == 0 ? cv::INTER_NEAREST : cv::INTER_AREA);
  return large;
}

std::string verdict(const std::vector<double>& probabilities, const PictureTexts& texts) {
  const int64_t best = top_of(probabilities);
  return fmt::format("{} {:.1f} %", display_name(texts.classes[static_cast<size_t>(best)], texts.language),
                     100 * probabilities[static_cast<size_t>(best)]);
}

/// One bar per class; the winner in `accent`.
void draw_bars(cv::Mat& canvas, const std::vector<double>& probabilities, const PictureTexts& texts, cv::Point corner,
               const cv::Scalar& accent) {
  constexpr int kLabel = 96, kNumber = 62;
  const int room = kPanel - kLabel - kNumber;
  for (size_t i = 0; i < probabilities.size(); ++i) {
    const bool wins = static_cast<int64_t>(i) == top_of(probabilities);
    const int y = corner.y + static_cast<int>(i) * kBar;
    const cv::Rect track(corner.x + kLabel, y + 5, room, kBar - 10);
    cv::rectangle(canvas, track, kBarTrack, cv::FILLED);
    const int length = static_cast<int>(std::lround(room * probabilities[i]));
    if (length > 0)
      cv::rectangle(canvas, {track.x, track.y, length, track.height}, wins ? accent : kPaleBlue, cv::FILLED);
    write(canvas, display_name(texts.classes[i], texts.language), {corner.x, y + 18}, kSmallFont, wins ? accent : kInk);
    const std::string number = fmt::format("{:.1f} %", 100 * probabilities[i]);
    write(canvas, number, {corner.x + kPanel - width_of(number, kSmallFont), y + 18}, kSmallFont,
          wins ? accent : kCaptionGrey);
  }
}

void draw_facts(cv::Mat& canvas, const AttackedImage& image, const PictureTexts& texts, cv::Point corner) {
  const bool french = texts.language == "fr";
  const std::vector<std::pair<std::string, std::string>> facts{
      {french ? "plus grand ecart (Linf)" : "largest change (Linf)",
       fmt::format("{}/255", std::lround(image.linf * 255))},
      {french ? "distance L2" : "distance L2", fmt::format("{:.3f}", image.l2)},
      {"PSNR", std::isfinite(image.psnr) ? fmt::format("{:.1f} dB", image.psnr) : std::string("-")},
      {"SSIM", std::isfinite(image.ssim) ? fmt::format("{:.3f}", image.ssim) : std::string("-")},
      {french ? "image" : "image", fmt::format("{} x {} px, 8 bit", image.original.size(2), image.original.size(1))},
      {french ? "attaque" : "attack", texts.attack},
      {french ? "resultat" : "result", image.success ? (french ? "reussie (PNG relu)" : "success (PNG read back)")
                                                     : (french ? "echec" : "not reached")}};
  int y = corner.y + 18;
  for (const auto& [name, value] : facts) {
    write(canvas, name, {corner.x, y}, kSmallFont, kCaptionGrey);
    write(canvas, value, {corner.x + kPanel - width_of(value, kSmallFont), y}, kSmallFont, kInk);
    y += kBar;
  }
}

torch::Tensor picture_tensor(const cv::Mat& bgr) {
  const auto view = torch::from_blob(bgr.data, {bgr.rows, bgr.cols, 3}, torch::kUInt8);
  return view.permute({2, 0, 1}).flip({0}).contiguous();
}

}  // namespace

int64_t display_factor(const torch::Tensor& image) {
  return std::max<int64_t>(1, kPanel / image.size(1));
}

torch::Tensor draw_attack(const AttackedImage& image, const PictureTexts& texts) {
  const int rows = std::max<int>(7, static_cast<int>(image.clean.size()));
  const int width = 2 * kPictureMargin + 3 * kPanel + 2 * kPanelGap;
  cv::Mat canvas(kTitle + kPanel + kHeading + rows * kBar + kPictureMargin, width, CV_8UC3, kPicturePaper);
  const bool french = texts.language == "fr";
  const std::string before = verdict(image.clean, texts), after = verdict(image.after, texts);
  const cv::Scalar& after_colour = top_of(image.clean) == top_of(image.after) ? kBefore : kAfter;  // red: it gave way

  const int arrow = 70, total = width_of(before, kTitleFont) + arrow + width_of(after, kTitleFont);
  int x = (width - total) / 2;
  write(canvas, before, {x, 56}, kTitleFont, kBefore);
  x += width_of(before, kTitleFont);
  cv::arrowedLine(canvas, {x + 16, 46}, {x + arrow - 14, 46}, kInk, 2, cv::LINE_AA, 0, 0.3);
  write(canvas, after, {x + arrow, 56}, kTitleFont, after_colour);

  const int64_t factor = amplification(image.original, image.adversarial);
  const torch::Tensor images[] = {image.original, coloured_difference(image.original, image.adversarial, factor),
                                  image.adversarial};
  const std::string headings[] = {french ? "original" : "original", fmt::format("perturbation x {}", factor),
                                  french ? "adverse" : "adversarial"};
  for (int i = 0; i < 3; ++i) {
    const int left = kPictureMargin + i * (kPanel + kPanelGap);
    const cv::Rect frame(left, kTitle, kPanel, kPanel);
    panel(images[i], kPanel).copyTo(canvas(frame));
    cv::rectangle(canvas, frame + cv::Point(-1, -1) + cv::Size(2, 2), kPaleBlue, 1);
    write_centred(canvas, headings[i], {left + kPanel / 2, kTitle + kPanel + 32}, kHeadingFont, kInk, kPanel);
  }
  const int bars = kTitle + kPanel + kHeading;
  draw_bars(canvas, image.clean, texts, {kPictureMargin, bars}, kBefore);
  draw_facts(canvas, image, texts, {kPictureMargin + kPanel + kPanelGap, bars});
  draw_bars(canvas, image.after, texts, {kPictureMargin + 2 * (kPanel + kPanelGap), bars}, after_colour);
  return picture_tensor(canvas);
}

torch::Tensor draw_gallery(const std::vector<AttackedImage>& images, const PictureTexts& texts) {
  const int count = static_cast<int>(std::min(images.size(), kGalleryImages));
  const int columns = std::max(1, std::min(count, kGalleryColumns)), rows = (count + columns - 1) / columns;
  const int cell_width = 2 * kGalleryPanel + kGalleryGap + kPanelGap, cell_height = kGalleryPanel + kGalleryText;
  cv::Mat canvas(kPictureMargin + 24 + rows * cell_height + kPictureMargin / 3,
                 2 * kPictureMargin + columns * cell_width - kPanelGap, CV_8UC3, kPicturePaper);
  write_centred(canvas, texts.attack, {canvas.cols / 2, kPictureMargin + 4}, kHeadingFont, kInk,
                canvas.cols - 2 * kPictureMargin);
  for (int i = 0; i < count; ++i) {
    const auto& image = images[static_cast<size_t>(i)];
    const int left = kPictureMargin + i % columns * cell_width,
              top_edge = kPictureMargin + 24 + i / columns * cell_height;
    const int right = left + kGalleryPanel + kGalleryGap;
    panel(image.original, kGalleryPanel).copyTo(canvas({left, top_edge, kGalleryPanel, kGalleryPanel}));
    panel(image.adversarial, kGalleryPanel).copyTo(canvas({right, top_edge, kGalleryPanel, kGalleryPanel}));
    const int base = top_edge + kGalleryPanel + 20;
    write_centred(canvas, verdict(image.clean, texts), {left + kGalleryPanel / 2, base}, kSmallFont, kBefore,
                  kGalleryPanel);
    write_centred(canvas, verdict(image.after, texts), {right + kGalleryPanel / 2, base}, kSmallFont,
                  image.success ? kAfter : kCaptionGrey, kGalleryPanel);
  }
  return picture_tensor(canvas);
}

}  // namespace fercli
