#include "report/plots.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/numbers.hpp"
#include "core/text.hpp"
#include "report/figure_plots.hpp"
#include "report/gnuplot.hpp"
#include "report/number_format.hpp"

namespace fercli {

namespace {

/// "('Angry' 0, 'Disgust' 1, …)" for `set xtics`.
std::string tics(const std::vector<std::string>& names) {
  std::vector<std::string> entries;
  for (size_t i = 0; i < names.size(); ++i) entries.push_back(fmt::format("{} {}", gnuplot_text(names[i]), i));
  return "(" + join(entries, ", ") + ")";
}

std::string margins(double left, double right, double bottom, double top) {
  return fmt::format(
      "set lmargin at screen {}; set rmargin at screen {}\nset bmargin at screen {}; set tmargin at screen {}\n", left,
      right, bottom, top);
}

/// The distance of about three tics between 0 and `top`: 1, 2 or 5 times a power of ten.
double tic_step(double top) {
  if (!(top > 0)) return 1;
  const double power = std::pow(10, std::floor(std::log10(top / 3))), digit = top / 3 / power;
  return power * (digit < 1.5 ? 1 : digit < 3.5 ? 2 : digit < 7.5 ? 5 : 10);
}

const EpochPoint* best_epoch(const std::vector<EpochPoint>& epochs, double EpochPoint::*score) {
  const EpochPoint* best = nullptr;
  for (const auto& epoch : epochs) {
    if (std::isfinite(epoch.*score) && (!best || epoch.*score > best->*score)) best = &epoch;
  }
  return best;
}

/// A circle at this epoch's value and the words in the corner.
std::string mark(const EpochPoint& epoch, double accuracy, const std::string& words) {
  return fmt::format(
      "set label 1 {} at graph 0.98, graph 0.05 right font ',18' textcolor rgb '{}'\n"
      "set object 1 circle at first {}, first {} size graph 0.012 fillstyle empty border lc rgb '{}' lw 2 front\n",
      gnuplot_text(words), colour::kVermilion, epoch.epoch, 100 * accuracy, colour::kVermilion);
}

/// A point at the best accuracy and its words: "best 72.5 % (70.9–74.0), epoch 23".
std::string best_epoch_marks(const std::vector<EpochPoint>& epochs, int64_t validation_images) {
  if (const EpochPoint* robust = best_epoch(epochs, &EpochPoint::balanced_robust_accuracy)) {
    const double accuracy = robust->balanced_robust_accuracy;
    return mark(*robust, accuracy,
                fmt::format("best {:.1f} % balanced robust, epoch {}", 100 * accuracy, robust->epoch));
  }
  const EpochPoint* best = best_epoch(epochs, &EpochPoint::validation_accuracy);
  if (!best) return "";
  std::string words = fmt::format("best {:.1f} %", 100 * best->validation_accuracy);
  if (validation_images > 0) {
    const auto successes = static_cast<int64_t>(std::llround(best->validation_accuracy * validation_images));
    const Interval interval = wilson_interval(std::min(successes, validation_images), validation_images);
    words += fmt::format(" (95 % CI {:.1f}–{:.1f}, n = {})", 100 * interval.low, 100 * interval.high,
                         format_number(static_cast<double>(validation_images), NumberFormat::Count, "en"));
  }
  return mark(*best, best->validation_accuracy, words + fmt::format(", epoch {}", best->epoch));
}

struct Curve {
  double EpochPoint::*value;
  const char* name;
  const char* colour;
};

/// The curves of one panel; those that were never measured are left out, for gnuplot takes none without points.
std::string curves(const std::vector<EpochPoint>& epochs, const std::vector<Curve>& wanted, double scale) {
  const char* style = epochs.size() > 40 ? "lines" : "linespoints";
  std::string blocks;
  std::vector<std::string> pieces;
  for (const auto& curve : wanted) {
    std::vector<std::string> rows;
    for (const auto& epoch : epochs) {
      if (std::isfinite(epoch.*curve.value))
        rows.push_back(fmt::format("{} {}", epoch.epoch, scale * epoch.*curve.value));
    }
    if (rows.empty()) continue;
    const std::string block = fmt::format("curve{}", pieces.size());
    blocks += data_block(block, rows);
    pieces.push_back(
        fmt::format("${} with {} lc rgb '{}' lw 1.6 pt 7 ps 0.7 title '{}'", block, style, curve.colour, curve.name));
  }
  return pieces.empty() ? "" : blocks + "plot " + join(pieces, ", ") + "\n";
}

}  // namespace

bool plot_learning_curves(const std::vector<EpochPoint>& epochs, int64_t validation_images,
                          const std::filesystem::path& path) {
  const Curve train_loss{&EpochPoint::train_loss, "training", colour::kBlue};
  const Curve validation_loss{&EpochPoint::validation_loss, "validation", colour::kVermilion};
  const Curve train_accuracy{&EpochPoint::train_accuracy, "training", colour::kBlue};
  const Curve validation_accuracy{&EpochPoint::validation_accuracy, "validation", colour::kVermilion};
  const Curve robust{&EpochPoint::robust_accuracy, "robust", colour::kGreen};
  const Curve balanced_robust{&EpochPoint::balanced_robust_accuracy, "robust, balanced", colour::kPurple};
  const int64_t first = epochs.empty() ? 0 : epochs.front().epoch, last = epochs.empty() ? 1 : epochs.back().epoch;
  double top_rate = 0;
  for (const auto& epoch : epochs) top_rate = std::max(top_rate, epoch.learning_rate);

  std::string script = fmt::format("set xrange [{}:{}]\nset xtics {}\nset multiplot\n", first - 0.3,
                                   std::max(last, first + 1) + 0.3, epoch_step(last - first));
  // Below the numbers of the epochs, where no curve runs through it.
  const std::string key = "set key at graph 0.5, graph -0.125 center top horizontal maxrows 2 font ',17'\n";
  script += margins(0.07, 0.48, 0.45, 0.92) + "set title 'Loss (nats)'\n" + key +
            curves(epochs, {train_loss, validation_loss}, 1);
  script += margins(0.57, 0.98, 0.45, 0.92) + "set title 'Accuracy (%)'\n" + key +
            best_epoch_marks(epochs, validation_images) +
            curves(epochs, {train_accuracy, validation_accuracy, robust, balanced_robust}, 100);
  script += "unset label; unset object 1; unset key\n" + margins(0.07, 0.98, 0.11, 0.25) +
            fmt::format("set title 'Learning rate'\nset xlabel 'epoch'\nset yrange [0:*]\nset ytics {}\n",
                        tic_step(top_rate)) +
            curves(epochs, {{&EpochPoint::learning_rate, "rate", colour::kGreen}}, 1) + "unset multiplot";
  return draw_figure(script, {1800, 1000}, path);
}

bool plot_class_distribution(const std::vector<ClassCounts>& splits, const std::vector<std::string>& classes,
                             const std::string& title, const std::filesystem::path& path) {
  static const std::vector<const char*> kColours{colour::kBlue, colour::kOrange, colour::kGreen, colour::kPurple};
  const double width = 0.84 / std::max<size_t>(1, splits.size());
  std::string script = "set title " + gnuplot_text(title) +
                       "\nset ylabel 'images'\nset key bmargin center horizontal\nset yrange [0:*]\nunset grid\n";
  script += fmt::format("set offsets 0, 0, graph 0.08, 0\nset xrange [-0.6:{}]\nset xtics {} scale 0\n",
                        static_cast<double>(classes.size()) - 0.4, tics(classes));
  std::vector<std::string> pieces;
  for (size_t s = 0; s < splits.size(); ++s) {
    int64_t total = 0;
    std::vector<std::string> rows;
    for (size_t k = 0; k < splits[s].counts.size(); ++k) {
      const double place = static_cast<double>(k) + (static_cast<double>(s) - (splits.size() - 1) / 2.0) * width;
      rows.push_back(fmt::format("{} {}", place, splits[s].counts[k]));
      total += splits[s].counts[k];
    }
    const std::string block = fmt::format("split{}", s);
    script += data_block(block, rows);
    pieces.push_back(fmt::format(
        "${} using 1:2:({}) with boxes lc rgb '{}' title {}", block, width * 0.92, kColours[s % kColours.size()],
        gnuplot_text(fmt::format("{} (n = {})", splits[s].split,
                                 format_number(static_cast<double>(total), NumberFormat::Count, "en")))));
    pieces.push_back(
        fmt::format("${} using 1:2:(sprintf('%d', int($2))) with labels offset 0,0.6 font ',{}' "
                    "textcolor rgb '#303030' notitle",
                    block, splits.size() > 1 ? 13 : 17));
  }
  return draw_figure(script + "plot " + join(pieces, ", "), {1800, 900}, path);
}

bool plot_confusion_matrix(const std::vector<std::vector<int64_t>>& confusion, const std::vector<std::string>& classes,
                           const std::string& title, const std::filesystem::path& path) {
  HeatMap map;
  map.title = title;
  map.x_label = "predicted";
  map.y_label = "true";
  map.colour_label = "share of the true class (%)";
  map.columns = classes;
  const auto count_text = [](int64_t count) {
    return format_number(static_cast<double>(count), NumberFormat::Count, "en");
  };
  for (size_t row = 0; row < classes.size(); ++row) {
    const auto& counts = confusion.at(row);
    const auto total = std::accumulate(counts.begin(), counts.end(), int64_t{0});
    map.rows.push_back(fmt::format("{}  (n = {})", classes[row], count_text(total)));
    map.values.emplace_back();
    map.words.emplace_back();
    for (const int64_t count : counts) {
      map.values.back().push_back(total > 0 ? 100.0 * static_cast<double>(count) / static_cast<double>(total) : kNaN);
      map.words.back().push_back(count_text(count));
    }
  }
  const FigureScript figure = plot_heat_map(map);
  return draw_figure(figure.script, figure.size, path);
}

bool plot_reliability(const std::vector<ReliabilityBin>& bins, const Metric& ece, const Metric& calibrated,
                      const std::string& title, const std::filesystem::path& path) {
  int64_t fullest = 0;
  std::vector<std::string> rows;
  for (const auto& bin : bins) {
    fullest = std::max(fullest, bin.accuracy.n);
    const bool empty = bin.accuracy.n == 0;
    const auto shown = [&](double value) { return empty ? std::string("nan") : fmt::format("{}", value); };
    rows.push_back(fmt::format("{} {} {} {} {} {}", (bin.low + bin.high) / 2, shown(bin.confidence),
                               shown(bin.accuracy.value), shown(bin.accuracy.interval.low),
                               shown(bin.accuracy.interval.high), bin.accuracy.n));
  }
  const double width = bins.empty() ? 1 : bins.front().high - bins.front().low;
  std::string script = data_block("bins", rows);
  script += "set xrange [0:1]\nset multiplot\n" + margins(0.13, 0.96, 0.36, 0.92);
  script += fmt::format(
      "set title {} . \"\\n\" . {}\nset ylabel 'accuracy'\nset yrange [0:1]\nset xtics 0.2 format ''\nset ytics 0.2\n"
      "set key at graph 0.5, graph -0.02 center top vertical maxrows 3 font ',15'\n",
      gnuplot_text(title),
      gnuplot_text(fmt::format("ECE {:.3f} (n = {}); a calibrated network would have {:.3f} (95 %: {:.3f}–{:.3f})",
                               ece.value, format_number(static_cast<double>(ece.n), NumberFormat::Count, "en"),
                               calibrated.value, calibrated.interval.low, calibrated.interval.high)));
  script += fmt::format(
      "plot $bins using 1:3:({0}) with boxes lc rgb '#b7d7ea' title 'accuracy in the bin', "
      "x with lines lc rgb '#606060' dt 2 lw 1 title 'perfect calibration', "
      "$bins using 2:3:4:5 with yerrorbars lc rgb '{1}' lw 1.3 pt 7 ps 1.1 title 'at the mean confidence, with 95 % "
      "CI'\n",
      width * 0.94, colour::kBlue);
  script += "unset title\nunset key\n" + margins(0.13, 0.96, 0.09, 0.265);
  script += fmt::format(
      "set xlabel 'confidence of the predicted class'\nset ylabel 'images'\nset yrange [0:*]\n"
      "set xtics 0.2 format '%.1f'\nset ytics {2}\n"
      "plot $bins using 1:6:({0}) with boxes lc rgb '{1}'\nunset multiplot",
      width * 0.94, colour::kOrange, tic_step(static_cast<double>(fullest)));
  return draw_figure(script, {1250, 1400}, path);
}

}  // namespace fercli
