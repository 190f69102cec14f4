#include "report/figure_plots.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/text.hpp"

namespace fercli {

namespace {

constexpr int kWidth = 1200;
constexpr const char* kStrongInk = "#000000";
const std::vector<const char*> kColours{colour::kBlue,   colour::kVermilion, colour::kGreen, colour::kPurple,
                                        colour::kOrange, colour::kSky,       colour::kGrey};
const std::vector<int> kPointTypes{7, 5, 9, 13, 11, 4, 6};
/// Viridis (Smith and van der Walt): even steps for the eye, in grey print and with every kind of colour blindness.
const std::vector<const char*> kViridis{"#440154", "#482878", "#3e4989", "#31688e", "#26828e",
                                        "#1f9e89", "#35b779", "#6ece58", "#b5de2b", "#fde725"};
constexpr double kDarkInkFrom = 0.62;  ///< share of viridis above which black letters are easier to read

std::string value(double number) {
  return std::isfinite(number) ? fmt::format("{:.8g}", number) : "nan";
}

std::string head(const std::string& title, const std::string& x_label, const std::string& y_label,
                 const std::string& language) {
  return fmt::format("set title {} font ',21'\nset xlabel {}\nset ylabel {}\n{}", gnuplot_text(title),
                     gnuplot_text(x_label), gnuplot_text(y_label), language == "fr" ? "set decimalsign ','\n" : "");
}

std::string tics(const std::vector<std::pair<std::string, double>>& places) {
  std::vector<std::string> entries;
  entries.reserve(places.size());
  for (const auto& [name, place] : places) entries.push_back(fmt::format("{} {:.8g}", gnuplot_text(name), place));
  return "(" + join(entries, ", ") + ")";
}

std::vector<std::pair<std::string, double>> numbered(const std::vector<std::string>& names) {
  std::vector<std::pair<std::string, double>> places;
  for (size_t i = 0; i < names.size(); ++i) places.emplace_back(names[i], static_cast<double>(i));
  return places;
}

size_t letters(const std::string& text) {  // UTF-8: continuation bytes are no letters
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

double longest_name(const std::vector<std::string>& names) {
  size_t longest = 1;
  for (const auto& name : names) longest = std::max(longest, letters(name));
  return static_cast<double>(longest);
}

std::vector<std::string> rows_of(const PlotCurve& curve) {
  std::vector<std::string> rows;
  for (const auto& point : curve.points) {
    if (!std::isfinite(point.x) || !std::isfinite(point.y)) continue;
    rows.push_back(fmt::format("{} {} {} {}", value(point.x), value(point.y), value(point.low), value(point.high)));
  }
  return rows;
}

bool has_band(const PlotCurve& curve) {
  return std::any_of(curve.points.begin(), curve.points.end(), [](const auto& p) { return std::isfinite(p.low); });
}

/// The pieces of the plot command that draw the curve in block `block`: its band, then its line.
std::pair<std::string, std::string> line_and_band(const PlotCurve& curve, const std::string& block, size_t number,
                                                  bool points) {
  const char* ink = curve.emphasised ? kStrongInk : kColours[number % kColours.size()];
  const std::string line = fmt::format(
      "${} using 1:2 with {} lc rgb '{}' lw {} {} pt {} ps 0.9 title {}", block, points ? "linespoints" : "lines", ink,
      curve.emphasised ? 2.2 : 1.6, curve.emphasised ? "dt (12,7)" : "dt 1",
      curve.emphasised ? 1 : kPointTypes[number % kPointTypes.size()], gnuplot_text(curve.name));
  if (!has_band(curve)) return {line, ""};
  return {line, fmt::format("${} using 1:3:4 with filledcurves fs transparent solid 0.16 noborder lc rgb '{}' notitle",
                            block, ink)};
}

/// The names in rows below the x axis, and the room that they need.
std::string legend(const std::vector<std::string>& names, int height) {
  constexpr double kRow = 36, kLetter = 12.5, kSample = 95, kAxis = 118;
  const double in_row = std::max(1.0, std::floor(0.78 * kWidth / (kLetter * longest_name(names) + kSample)));
  const double rows = std::ceil(static_cast<double>(names.size()) / in_row);
  return fmt::format(
      "set key at screen 0.53, screen {:.4f} bottom center horizontal maxrows {:.0f}\nset bmargin at screen {:.4f}\n",
      8.0 / height, std::max(rows, 1.0), (rows * kRow + kAxis) / height);
}

std::string x_axis(const CurvePlot& plot) {
  double first = std::numeric_limits<double>::infinity(), last = -first;
  for (const auto& curve : plot.curves) {
    for (const auto& point : curve.points) {
      first = std::min(first, point.x);
      last = std::max(last, point.x);
    }
  }
  if (!(last > first)) last = first + 1;
  const double room = 0.015 * (last - first);
  return fmt::format("set xrange [{:.8g}:{:.8g}]\n{}", first - room, last + room,
                     plot.x_tics.empty() ? "" : "set xtics " + tics(plot.x_tics) + "\n");
}

}  // namespace

FigureScript plot_curves(const CurvePlot& plot) {
  constexpr int kHeight = 780;
  std::string script = head(plot.title, plot.x_label, plot.y_label, plot.language) + x_axis(plot);
  script += plot.y_top > 0 ? fmt::format("set yrange [0:{}]\n", plot.y_top) : std::string("set yrange [0:*]\n");
  std::vector<std::string> bands, lines, names, drawn;
  for (size_t i = 0; i < plot.curves.size(); ++i) {
    const auto rows = rows_of(plot.curves[i]);
    if (rows.empty()) continue;
    const std::string block = fmt::format("curve{}", i);
    script += data_block(block, rows);
    auto [line, band] = line_and_band(plot.curves[i], block, i, plot.points);
    lines.push_back(std::move(line));
    names.push_back(plot.curves[i].name);
    drawn.push_back(join(rows, "\n"));
    const bool repeats = std::count(drawn.begin(), drawn.end(), drawn.back()) > 1;
    if (!band.empty() && !repeats) bands.push_back(std::move(band));
  }
  if (plot.level) {
    lines.push_back(fmt::format("{:.8g} with lines dt 3 lw 1.4 lc rgb '#707070' notitle", plot.level->second));
    script += fmt::format(
        "set label 1 {} at graph 0.99, first {:.8g} right offset 0,0.6 font ',17' textcolor rgb '#606060'\n",
        gnuplot_text(plot.level->first), plot.level->second);
  }
  bands.insert(bands.end(), lines.begin(), lines.end());
  return {script + legend(names, kHeight) + "plot " + join(bands, ", "), {kWidth, kHeight}};
}

FigureScript plot_calibration(const ReliabilityPlot& plot) {
  constexpr int kHeight = 1000;
  std::string script = head(plot.title, plot.x_label, plot.y_label, plot.language);
  script += "set xrange [0:1]\nset yrange [0:1]\nset xtics 0.2\nset ytics 0.2\nset size ratio 0.8\n";
  std::vector<std::string> pieces{
      fmt::format("x with lines dt 2 lw 1.2 lc rgb '#707070' title {}", gnuplot_text(plot.diagonal))};
  std::vector<std::string> names{plot.diagonal};
  for (size_t i = 0; i < plot.curves.size(); ++i) {
    const auto rows = rows_of(plot.curves[i]);
    if (rows.empty()) continue;
    const std::string block = fmt::format("curve{}", i);
    script += data_block(block, rows);
    const char* ink = kColours[i % kColours.size()];
    if (has_band(plot.curves[i])) {
      pieces.push_back(fmt::format("${} using 1:2:3:4 with yerrorbars lc rgb '{}' lw 1.2 pt 0 notitle", block, ink));
    }
    pieces.push_back(fmt::format("${} using 1:2 with linespoints lc rgb '{}' lw 1.4 pt {} ps 1.1 title {}", block, ink,
                                 kPointTypes[i % kPointTypes.size()], gnuplot_text(plot.curves[i].name)));
    names.push_back(plot.curves[i].name);
  }
  return {script + legend(names, kHeight) + "plot " + join(pieces, ", "), {kWidth, kHeight}};
}

namespace {

/// Where between dark (0) and bright (1) a cell of this value lies.
double brightness(const HeatMap& map, double number) {
  const double share = std::clamp((number - map.low) / (map.high - map.low), 0.0, 1.0);
  return map.small_is_bright ? 1 - share : share;
}

std::string palette(bool small_is_bright) {
  std::vector<std::string> stops;
  for (size_t i = 0; i < kViridis.size(); ++i) {
    stops.push_back(fmt::format("{} '{}'", i, kViridis[small_is_bright ? kViridis.size() - 1 - i : i]));
  }
  return "set palette defined (" + join(stops, ", ") + ")\n";
}

/// Maps are made of what saved reports say.
void require_every_cell(const HeatMap& map) {
  const auto whole = [&](const auto& matrix) {
    return matrix.size() == map.rows.size() &&
           std::all_of(matrix.begin(), matrix.end(), [&](const auto& row) { return row.size() == map.columns.size(); });
  };
  if (whole(map.values) && whole(map.words)) return;
  throw UserError(fmt::format("report: '{}' does not have one cell for each of {} rows and {} columns", map.title,
                              map.rows.size(), map.columns.size()));
}

struct CellBlocks {
  std::vector<std::string> full, empty, words;
};

CellBlocks cells_of(const HeatMap& map) {
  CellBlocks blocks;
  for (size_t row = 0; row < map.rows.size(); ++row) {
    for (size_t column = 0; column < map.columns.size(); ++column) {
      const double number = map.values[row][column];
      const bool known = std::isfinite(number);
      if (known) blocks.full.push_back(fmt::format("{} {} {:.6g}", column, row, number));
      if (!known) blocks.empty.push_back(fmt::format("{} {}", column, row));
      const std::string& words = map.words[row][column];
      if (words.empty()) continue;
      const bool dark_ink = !known || brightness(map, number) > kDarkInkFrom;
      blocks.words.push_back(fmt::format("{} {} \"{}\" {}", column, row, words, dark_ink ? 0x101010 : 0xffffff));
    }
  }
  return blocks;
}

std::string plot_cells(const CellBlocks& blocks, int letter_size) {
  std::string script;
  std::vector<std::string> pieces;
  const auto piece = [&](const char* name, const std::vector<std::string>& rows, const std::string& how) {
    if (rows.empty()) return;
    script += data_block(name, rows);
    pieces.push_back(fmt::format("${} {}", name, how));
  };
  piece("empty", blocks.empty, "using 1:2:(0.49):(0.49) with boxxyerror fs solid noborder lc rgb '#ececec'");
  piece("cells", blocks.full, "using 1:2:(0.49):(0.49):3 with boxxyerror fs solid noborder lc palette");
  piece("words", blocks.words, fmt::format("using 1:2:3:4 with labels font ',{}' textcolor rgb variable", letter_size));
  return script + "plot " + join(pieces, ", ");
}

}  // namespace

FigureScript plot_heat_map(const HeatMap& map) {
  require_every_cell(map);
  const double columns = static_cast<double>(map.columns.size()), rows = static_cast<double>(map.rows.size());
  const double left = 90 + 13 * longest_name(map.rows), right = 190, top = 70, bottom = 110;
  const double cell = (kWidth - left - right) / std::max(columns, 2.0);
  constexpr double kLeast = 400;  // room for the words beside the colours
  const double height = std::max(kLeast, std::clamp(0.75 * cell, 46.0, rows > 10 ? 62.0 : 110.0) * rows) + top + bottom;
  std::string script = head(map.title, map.x_label, "", map.language);
  script += fmt::format(
      "set lmargin at screen {:.4f}; set rmargin at screen {:.4f}\nset bmargin at screen {:.4f}; set tmargin at screen "
      "{:.4f}\n",
      left / kWidth, 1 - right / kWidth, bottom / height, 1 - top / height);
  // Not as an axis label: gnuplot puts that beyond the edge of a PNG.
  script += fmt::format("set label 1 {} at screen {:.4f}, graph 0.5 center rotate\n", gnuplot_text(map.y_label),
                        26.0 / kWidth);
  script += fmt::format("unset key\nunset grid\nset border 0\nset xrange [-0.5:{}]\nset yrange [{}:-0.5]\n",
                        columns - 0.5, rows - 0.5);
  script += fmt::format("set xtics {} scale 0 font ',{:.0f}'\nset ytics {} scale 0\n", tics(numbered(map.columns)),
                        std::min(20.0, cell / (0.74 * longest_name(map.columns))), tics(numbered(map.rows)));
  script += fmt::format("set colorbox user origin screen {:.4f}, screen {:.4f} size screen {:.4f}, screen {:.4f}\n",
                        1 - (right - 25) / kWidth, bottom / height, 28.0 / kWidth, 1 - (top + bottom) / height);
  script += palette(map.small_is_bright) + fmt::format("set cbrange [{:.6g}:{:.6g}]\nset cblabel {} offset 0.8,0\n",
                                                       map.low, map.high, gnuplot_text(map.colour_label));
  if (map.marked) {
    const auto [row, column] = *map.marked;
    script += fmt::format("set object 1 rect center {},{} size 1,1 front fillstyle empty border lc rgb '{}' lw 3.5\n",
                          column, row, colour::kVermilion);
  }
  return {script + plot_cells(cells_of(map), cell > 95 ? 19 : cell > 75 ? 17 : 15), {kWidth, static_cast<int>(height)}};
}

FigureScript plot_stretches(const StretchPlot& plot) {
  constexpr double kRowHeight = 56, kHead = 80, kFoot = 190;
  const auto rows = static_cast<double>(plot.rows.size());
  const double height = kHead + kFoot + kRowHeight * std::max(rows, 2.0), left = 60 + 13 * longest_name(plot.rows);
  std::vector<std::string> names, pieces;
  std::string script = head(plot.title, plot.x_label, "", plot.language);
  for (size_t kind = 0; kind < plot.kinds.size(); ++kind) {
    const auto& [name, ink] = plot.kinds[kind];
    std::vector<std::string> boxes;
    for (const auto& stretch : plot.stretches) {
      if (stretch.kind != kind) continue;
      boxes.push_back(fmt::format("{} {} {} {} {} {}", value((stretch.from + stretch.to) / 2), stretch.row,
                                  value(stretch.from), value(stretch.to),
                                  value(static_cast<double>(stretch.row) - 0.36),
                                  value(static_cast<double>(stretch.row) + 0.36)));
    }
    if (boxes.empty()) continue;
    const std::string block = fmt::format("kind{}", kind);
    script += data_block(block, boxes);
    names.push_back(name);
    pieces.push_back(
        fmt::format("${} using 1:2:3:4:5:6 with boxxyerror fs solid noborder lc rgb '{}' notitle", block, ink));
    pieces.push_back(fmt::format("NaN with boxes fs solid lc rgb '{}' title {}", ink, gnuplot_text(name)));
  }
  script += fmt::format("set xrange [{}:{}]\nset yrange [{}:-0.5]\nset ytics {} scale 0\nunset grid\nset border 1\n",
                        value(plot.from), value(std::max(plot.to, plot.from + 1e-6)), std::max(rows, 2.0) - 0.5,
                        tics(numbered(plot.rows)));
  script += legend(names, static_cast<int>(height));
  script +=
      fmt::format("set lmargin at screen {:.4f}\nset tmargin at screen {:.4f}\n", left / kWidth, 1 - kHead / height);
  return {script + "plot " + (pieces.empty() ? "NaN notitle" : join(pieces, ", ")), {kWidth, static_cast<int>(height)}};
}

int64_t epoch_step(int64_t epochs) {
  constexpr int64_t kMostTicks = 10;
  for (int64_t power = 1;; power *= 10) {
    for (const int64_t digit : {1, 2, 5}) {
      if (epochs <= kMostTicks * digit * power) return digit * power;
    }
  }
}

}  // namespace fercli
