#include "live/screen/hud.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "data/image.hpp"
#include "eval/measures/difference_picture.hpp"
#include "eval/measures/metrics.hpp"
#include "faces/face_reader.hpp"

namespace fercli {

namespace {

constexpr Ink kGround{34, 30, 28}, kRed{60, 60, 230}, kGreen{120, 200, 90};
constexpr int kSmall = 8, kMiddle = 10, kPad = 12, kHeatSide = 144;
constexpr int64_t kRoomHeight = 480, kRoomWidth = 640;  ///< that a small picture is enlarged to
constexpr double kLeastHeat = 0.05;                     ///< what a region must cost at least for its full colour

/// A class's colour, light enough to be read on the panel.
Ink on_dark(Ink ink) {
  const auto lighter = [](int value) { return value + (255 - value) * 4 / 10; };
  const bool dark = 0.114 * ink.blue + 0.587 * ink.green + 0.299 * ink.red < 135;
  return dark ? Ink{lighter(ink.blue), lighter(ink.green), lighter(ink.red)} : ink;
}

/// The face in grey, and warm where hiding a region costs the class most. RGB.
torch::Tensor heated(const torch::Tensor& crop, const torch::Tensor& regions) {
  const auto weight = regions.clamp_min(0) / std::max(kLeastHeat, regions.max().item<double>());
  const auto smooth = resize_image((weight * 255).round().to(torch::kUInt8).unsqueeze(0), crop.size(1), crop.size(2));
  const auto heat = smooth.to(torch::kFloat32) / 255 * 0.75;
  const auto grey = convert_channels(crop, 1).to(torch::kFloat32).expand({3, -1, -1}) * 0.7;
  const auto warm = torch::tensor({255.0F, 120.0F, 0.0F}).view({3, 1, 1});
  return (grey * (1 - heat) + warm * heat).round().clamp(0, 255).to(torch::kUInt8);
}

/// "a pixel changes by at most 4 of 255 levels".
std::string plain_eps(double eps, const Overlay& overlay) {
  const double levels = eps * 255;
  return fmt::format("{} {} {}", overlay.say("a pixel changes by at most", "un pixel change d’au plus"),
                     overlay.number(levels, std::abs(levels - std::round(levels)) < 0.05 ? 0 : 1),
                     overlay.say("of 255 levels", "niveaux sur 255"));
}

/// "87 % (n = 120, 80–92 %)".
std::string share_text(int64_t successes, int64_t n) {
  if (n == 0) return "–";
  const Interval interval = wilson_interval(successes, n);
  return fmt::format("{:.0f} % (n = {}, {:.0f}–{:.0f} %)",
                     100.0 * static_cast<double>(successes) / static_cast<double>(n), n, 100 * interval.low,
                     100 * interval.high);
}

/// How many times its size a picture is shown at.
int64_t enlargement(const torch::Tensor& bgr) {
  return std::max<int64_t>(1, std::min(kRoomHeight / bgr.size(0), kRoomWidth / bgr.size(1)));
}

/// The face that the attack panel shows: the largest one that the goal concerns, else the largest.
const PerturbedFace* shown_face(const AnalysedFrame& frame) {
  const PerturbedFace* best = nullptr;
  double best_area = -1;
  for (size_t i = 0; i < frame.perturbed.size(); ++i) {
    const double area = frame.faces[i].reading.box.area() + (frame.perturbed[i].concerned ? 1e9 : 0);
    if (area <= best_area) continue;
    best = &frame.perturbed[i];
    best_area = area;
  }
  return best;
}

}  // namespace

void Hud::draw_status(const torch::Tensor& canvas, const AnalysedFrame& frame, const PipelineStatus& status,
                      const HudSwitches& switches) {
  constexpr int kBase = 15;
  const auto time = [&](double ms) { return ms > 0 ? overlay_.number(ms, 1) : std::string("–"); };
  const std::string text =
      fmt::format("{} {}   {} {} ms   {} {} ms   p95 {:.0f} ms   {} {}   {} {}   {}",
                  status.fps > 0 ? overlay_.number(status.fps, 1) : "–", overlay_.say("fps", "im/s"),
                  overlay_.say("faces", "visages"), time(frame.find_ms), overlay_.say("network", "réseau"),
                  time(frame.read_ms), status.latency_p95, overlay_.say("queue", "file"), status.waiting,
                  overlay_.say("dropped", "perdues"), status.dropped, frame.detector);
  auto& letters = overlay_.lettering();
  int left = 2 * kPad + letters.write(canvas, text, kPad, kBase, kSmall, kPale);
  if (switches.recording) left += kPad + letters.write(canvas, "REC", left, kBase, kMiddle, kRed);
  if (switches.paused) letters.write(canvas, overlay_.say("paused", "en pause"), left, kBase, kMiddle, kWhite);
}

void Hud::draw_verdict(const torch::Tensor& canvas, const std::vector<double>& probabilities, int left, int base,
                       int height) {
  const int64_t best = top_of(probabilities);
  overlay_.lettering().write(canvas, overlay_.verdict(best, probabilities), left, base, height,
                             on_dark(overlay_.class_ink(best)));
}

/// Which regions each network looks at, and what it sees.
void Hud::draw_explanation(const torch::Tensor& canvas, const Explanation& explanation, int left, int top) {
  const auto one = [&](const torch::Tensor& regions, const std::vector<double>& seen, const char* network, int x) {
    draw_tile(canvas, heated(explanation.crop, regions), x, top + 34, kHeatSide);
    overlay_.lettering().write(canvas, network, x, top + 14, kSmall, kPale);
    draw_verdict(canvas, seen, x, top + 28, kSmall);
  };
  const int second = left + 2 * kPad + kHeatSide;
  one(explanation.regions, explanation.seen, overlay_.say("the network looks at", "le réseau regarde"), left + kPad);
  if (explanation.robust_regions.defined()) {
    one(explanation.robust_regions, explanation.robust_seen, overlay_.say("the robust network", "le réseau robuste"),
        second);
  }
}

void Hud::draw_faces_panel(const torch::Tensor& canvas, const AnalysedFrame& frame, int left, int height) {
  const int bars = static_cast<int>(overlay_.classes().size()) * Overlay::kBarRow, block = bars + 30;
  if (frame.explanation) {
    height -= kHeatSide + 34 + kPad;
    draw_explanation(canvas, *frame.explanation, left, height);
  }
  int top = kPad;
  for (const auto& face : frame.faces) {
    if (top + block > height) break;
    draw_tile(canvas, face.reading.crop, left + kPad, top, 64);
    const std::string title = fmt::format("#{}  {}", face.id, overlay_.verdict(face.label, face.smoothed));
    overlay_.lettering().write(canvas, title, left + kPad + 74, top + 11, kMiddle,
                               on_dark(overlay_.class_ink(face.label)));
    overlay_.draw_bars(canvas, face.smoothed, left + kPad + 74, top + 18, kPanel - 74 - 2 * kPad);
    top += block;
  }
}

void Hud::draw_attack_panel(const torch::Tensor& canvas, const AnalysedFrame& frame, int left) {
  auto& letters = overlay_.lettering();
  letters.write(canvas, goal_, left + kPad, 20, kMiddle, kWhite);
  letters.write(canvas, plain_eps(frame.eps, overlay_), left + kPad, 38, kSmall, kPale);
  const PerturbedFace* face = shown_face(frame);
  if (face == nullptr) return;
  const int side = (kPanel - 3 * kPad) / 2, second = left + 2 * kPad + side, tile = 48;
  draw_tile(canvas, face->original, left + kPad, tile, side);
  draw_tile(canvas, face->adversarial, second, tile, side);
  int y = tile + side + 16;
  letters.write(canvas, overlay_.say("original", "original"), left + kPad, y, kSmall, kPale);
  letters.write(canvas, overlay_.say("perturbed", "perturbé"), second, y, kSmall, kPale);
  y += 20;
  draw_verdict(canvas, face->before, left + kPad, y, 12);
  draw_verdict(canvas, face->after, second, y, 12);
  if (!face->robust_before.empty()) {
    y += 22;
    letters.write(canvas, overlay_.say("robust network", "réseau robuste"), left + kPad, y, kSmall, kPale);
    y += 18;
    draw_verdict(canvas, face->robust_before, left + kPad, y, kMiddle);
    draw_verdict(canvas, face->robust_after, second, y, kMiddle);
  }
  y += 14;
  const int below = y + side + 18;
  const int64_t factor = amplification(face->original, face->adversarial);
  draw_tile(canvas, coloured_difference(face->original, face->adversarial, factor), left + kPad, y, side);
  const auto line = [&](const std::string& text, Ink ink) {
    y += 17;
    letters.write(canvas, text, second, y, kSmall, ink);
  };
  line(fmt::format("perturbation × {}", factor), kPale);
  line(fmt::format("Linf {}/255", face->largest_change), kPale);
  if (!face->concerned) line(overlay_.say("not attacked", "non attaqué"), kPale);
  if (face->concerned) {
    line(face->success ? overlay_.say("reached", "atteint") : overlay_.say("not reached", "non atteint"),
         face->success ? kRed : kGreen);
  }
  const auto& tally = frame.tally;
  y = below;
  const auto wide_line = [&](const std::string& text) {
    letters.write(canvas, text, left + kPad, y, kSmall, kPale);
    y += 16;
  };
  wide_line(fmt::format("{} {}", overlay_.say("success", "réussite"), share_text(tally.successes, tally.faces)));
  if (!face->robust_before.empty()) {
    wide_line(fmt::format("{} {}", overlay_.say("defended", "défendu"), share_text(tally.defended, tally.faces)));
  }
  const auto per_face = [&](int64_t passes) {
    return tally.faces > 0 ? overlay_.number(static_cast<double>(passes) / static_cast<double>(tally.faces), 1) : "–";
  };
  wide_line(fmt::format("{:.0f} ms, {} {} + {}", tally.milliseconds,
                        overlay_.say("passes per face", "passages par visage"), per_face(tally.forward),
                        per_face(tally.backward)));
}

void Hud::draw_help(const torch::Tensor& canvas) {
  const bool fr = overlay_.french();
  const std::vector<std::pair<std::string, std::string>> keys{
      {"q, Esc", fr ? "quitter" : "quit"},  {fr ? "espace" : "space", fr ? "pause" : "pause"},
      {"s", fr ? "photo" : "snapshot"},     {"r", fr ? "enregistrer" : "record"},
      {"m", fr ? "miroir" : "mirror"},      {"b", fr ? "barres" : "bars"},
      {"e", fr ? "avatars" : "emoji"},      {"x", fr ? "régions" : "regions"},
      {"a", fr ? "attaque" : "attack"},     {"+ -", "eps"},
      {"d", fr ? "détecteur" : "detector"}, {"h", fr ? "cette aide" : "this help"}};
  fill_rectangle(canvas, 40, 50, 250, static_cast<int>(keys.size()) * 22 + 24, kGround, 0.85);
  int y = 80;
  for (const auto& [key, meaning] : keys) {
    overlay_.lettering().write(canvas, key, 58, y, kMiddle, kWhite);
    overlay_.lettering().write(canvas, meaning, 140, y, kMiddle, kPale);
    y += 22;
  }
}

torch::Tensor Hud::compose(const AnalysedFrame& frame, const PipelineStatus& status, const Timeline& timeline,
                           const HudSwitches& switches) {
  const auto& pixels = frame.frame.bgr;
  const int64_t factor = enlargement(pixels);
  const auto picture = factor == 1 ? pixels.clone() : pixels.repeat_interleave(factor, 0).repeat_interleave(factor, 1);
  const int64_t height = picture.size(0), width = picture.size(1);
  // Video encoders want even sides.
  const int64_t tall = (kStatus + height + kStrip + 1) / 2 * 2, wide = (width + kPanel + 1) / 2 * 2;
  auto whole = torch::empty({tall, wide, 3}, torch::kUInt8);
  fill_rectangle(whole, 0, 0, static_cast<int>(wide), static_cast<int>(tall), kGround);
  const auto canvas = whole.slice(0, kStatus);
  const auto view = [times = static_cast<double>(factor)](const LiveFace& face) {
    const Box& box = face.reading.box;
    const Box shown{box.x * times, box.y * times, box.width * times, box.height * times};
    return FaceView{face.id, shown, face.label, face.smoothed};
  };
  std::vector<FaceView> views;
  for (const auto& face : frame.faces) views.push_back(view(face));
  overlay_.draw_faces(picture, views, switches.avatars);
  canvas.slice(0, 0, height).slice(1, 0, width).copy_(picture);
  const auto panel_left = static_cast<int>(width), strip_top = static_cast<int>(height);
  draw_status(whole, frame, status, switches);
  if (switches.attack && frame.attacked) {
    draw_attack_panel(canvas, frame, panel_left);
  } else if (switches.bars) {
    draw_faces_panel(canvas, frame, panel_left, static_cast<int>(canvas.size(0)));
  }
  timeline.draw_strip(canvas, overlay_, kPad, strip_top + 6, panel_left - 2 * kPad, kStrip - 12, kStripSeconds);
  if (switches.help) draw_help(canvas);
  return whole;
}

}  // namespace fercli
