#pragma once

#include <string>

#include "draw/overlay.hpp"
#include "live/pipeline.hpp"
#include "live/screen/timeline.hpp"

namespace fercli {

/// What the head-up display shows; the keys turn these.
struct HudSwitches {
  bool bars = true, avatars = true, attack = false, help = false;
  bool recording = false, paused = false;
};

/// Composes the picture that the window shows and `--record-annotated` keeps: a status line, below it the frame with
/// boxes, labels and avatars and at its right a panel with bars or with the attack, the timeline at the bottom.
class Hud {
 public:
  Hud(std::vector<std::string> classes, std::string language, std::string goal)
      : overlay_(std::move(classes), std::move(language)), goal_(std::move(goal)) {}

  /// uint8 (H,W,3), blue first. Its size depends on the frame's size alone.
  torch::Tensor compose(const AnalysedFrame& frame, const PipelineStatus& status, const Timeline& timeline,
                        const HudSwitches& switches);

  Overlay& overlay() { return overlay_; }

  static constexpr int kPanel = 330, kStrip = 66, kStatus = 22;  ///< pixels added at the right, below and above
  static constexpr double kStripSeconds = 30;

 private:
  void draw_status(const torch::Tensor& canvas, const AnalysedFrame& frame, const PipelineStatus& status,
                   const HudSwitches& switches);
  void draw_faces_panel(const torch::Tensor& canvas, const AnalysedFrame& frame, int left, int height);
  void draw_explanation(const torch::Tensor& canvas, const Explanation& explanation, int left, int top);
  void draw_attack_panel(const torch::Tensor& canvas, const AnalysedFrame& frame, int left);
  void draw_verdict(const torch::Tensor& canvas, const std::vector<double>& probabilities, int left, int base,
                    int height);
  void draw_help(const torch::Tensor& canvas);

  Overlay overlay_;
  std::string goal_;
};

}  // namespace fercli
