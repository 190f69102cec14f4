#include "live/screen/timeline.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace fercli {

namespace {

/// A face not seen for so long starts a new stretch.
constexpr double kGap = 1;
constexpr Ink kPaper{250, 250, 250}, kText{40, 40, 40}, kSoft{225, 225, 225}, kStripText{210, 210, 210};
constexpr int kWide = 1100, kMargin = 60, kRow = 26, kMostRows = 24;

/// 1, 2, 5, 10, 20, 50, … seconds, so that about ten ticks cover the session.
double tick_step(double seconds) {
  for (double step = 1;; step *= 10) {
    for (const double factor : {1.0, 2.0, 5.0}) {
      if (seconds / (step * factor) <= 12) return step * factor;
    }
  }
}

std::string clock_text(double seconds) {
  const auto s = static_cast<int64_t>(std::lround(seconds));
  return s < 3600 ? fmt::format("{}:{:02}", s / 60, s % 60)
                  : fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
}

}  // namespace

void Timeline::add(int64_t id, std::optional<int64_t> label, double time) {
  end_ = std::max(end_, time);
  const auto found = open_.find(id);
  if (found != open_.end() && found->second >= forgotten_) {
    Stretch& last = stretches_[found->second - forgotten_];
    const bool recent = time - last.to <= kGap;
    if (recent) last.to = time;
    if (recent && last.label == label) return;
  }
  stretches_.push_back({id, label, time, time});
  open_[id] = forgotten_ + stretches_.size() - 1;
  if (stretches_.size() <= kMostStretches) return;
  const auto oldest = open_.find(stretches_.front().id);
  if (oldest != open_.end() && oldest->second == forgotten_) open_.erase(oldest);
  forgotten_seconds_[stretches_.front().label] += stretches_.front().to - stretches_.front().from;
  stretches_.pop_front();
  ++forgotten_;
}

std::vector<double> Timeline::seconds_per_class(int64_t classes) const {
  std::vector<double> seconds(static_cast<size_t>(classes) + 1, 0);
  for (const auto& [label, length] : forgotten_seconds_) seconds[static_cast<size_t>(label.value_or(classes))] = length;
  for (const auto& stretch : stretches_) {
    seconds[static_cast<size_t>(stretch.label.value_or(classes))] += stretch.to - stretch.from;
  }
  return seconds;
}

void Timeline::draw_strip(const torch::Tensor& bgr, Overlay& overlay, int left, int top, int width, int height,
                          double seconds) const {
  const double from = end_ - seconds;
  std::set<int64_t> ids;
  for (auto it = stretches_.rbegin(); it != stretches_.rend() && it->to >= from - 60; ++it) {
    if (it->to >= from) ids.insert(it->id);
  }
  const int row_height = 15, label_room = 34;
  while (static_cast<int>(ids.size()) * row_height > height) ids.erase(ids.begin());
  const double scale = (width - label_room) / seconds;
  int row = 0;
  for (const int64_t id : ids) {
    const int y = top + row++ * row_height;
    overlay.lettering().write(bgr, fmt::format("#{}", id), left, y + 11, 8, kStripText);
    for (auto it = stretches_.rbegin(); it != stretches_.rend() && it->to >= from - 60; ++it) {
      if (it->id != id || it->to < from) continue;
      const int begin = left + label_room + static_cast<int>((std::max(it->from, from) - from) * scale);
      const int end = left + label_room + static_cast<int>(std::ceil((it->to - from) * scale));
      fill_rectangle(bgr, begin, y + 2, std::max(1, end - begin), row_height - 5, overlay.class_ink(it->label));
    }
  }
}

torch::Tensor Timeline::draw_session(Overlay& overlay, const std::string& title) const {
  std::set<int64_t> ids;
  for (const auto& stretch : stretches_) ids.insert(stretch.id);
  while (ids.size() > kMostRows) ids.erase(std::prev(ids.end()));
  const auto classes = static_cast<int64_t>(overlay.classes().size());
  const int rows = std::max<int>(1, static_cast<int>(ids.size())), top = 60, axis = top + rows * kRow + 10;
  const int width = kWide - 2 * kMargin;
  auto picture = torch::full({axis + 90, kWide, 3}, 250, torch::kUInt8);
  auto& letters = overlay.lettering();
  letters.write(picture, title, kMargin, 34, 14, kText);
  const double length = std::max(1.0, end_), scale = width / length;
  const double step = tick_step(length);
  for (int64_t k = 0; static_cast<double>(k) * step <= length; ++k) {
    const double tick = static_cast<double>(k) * step;
    const int x = kMargin + static_cast<int>(tick * scale);
    fill_rectangle(picture, x, top, 1, rows * kRow + 6, kSoft);
    letters.write(picture, clock_text(tick), x - 12, axis + 14, 9, kText);
  }
  std::map<int64_t, int> row_of;
  for (const int64_t id : ids) {
    const int y = top + static_cast<int>(row_of.size()) * kRow;
    letters.write(picture, fmt::format("#{}", id), kMargin - 40, y + 17, 10, kText);
    row_of[id] = y;
  }
  for (const auto& stretch : stretches_) {
    const auto row = row_of.find(stretch.id);
    if (row == row_of.end()) continue;
    const int begin = kMargin + static_cast<int>(stretch.from * scale);
    const int end = kMargin + static_cast<int>(std::ceil(stretch.to * scale));
    fill_rectangle(picture, begin, row->second + 4, std::max(1, end - begin), kRow - 8,
                   overlay.class_ink(stretch.label));
  }
  int x = kMargin;
  const auto seconds = seconds_per_class(classes);
  for (int64_t k = 0; k <= classes; ++k) {
    if (seconds[static_cast<size_t>(k)] <= 0) continue;
    const std::optional<int64_t> label = k < classes ? std::optional<int64_t>(k) : std::optional<int64_t>();
    const std::string text =
        fmt::format("{} {:.0f} s", label ? overlay.class_name(k) : std::string(overlay.say("uncertain", "incertain")),
                    seconds[static_cast<size_t>(k)]);
    fill_rectangle(picture, x, axis + 40, 14, 14, overlay.class_ink(label));
    x += 20 + letters.write(picture, text, x + 20, axis + 52, 10, kText) + 16;
  }
  return picture;
}

}  // namespace fercli
