#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "report/gnuplot.hpp"

namespace fercli {

/// The figures of a report, ready for `draw_figure`. All words come in by the caller, in the report's language.
struct FigureScript {
  std::string script;
  FigureSize size;
};

/// NaN for what is not known.
struct CurvePoint {
  double x, y;
  double low = std::numeric_limits<double>::quiet_NaN();  ///< ends of the band
  double high = std::numeric_limits<double>::quiet_NaN();
};

struct PlotCurve {
  std::string name;
  std::vector<CurvePoint> points;
  bool emphasised = false;  ///< black and thick: the result, among its parts
};

struct CurvePlot {
  std::string title, x_label, y_label;
  std::vector<PlotCurve> curves;
  std::vector<std::pair<std::string, double>> x_tics = {};   ///< none: gnuplot's own
  std::optional<std::pair<std::string, double>> level = {};  ///< a dashed horizontal line and its name
  double y_top = 100;                                        ///< 0: as high as the curves
  bool points = true;                                        ///< mark the measured points
  std::string language = "en";
};

/// Lines with bands of their intervals.
FigureScript plot_curves(const CurvePlot& plot);

/// Accuracy against confidence, both in [0,1] in `curves`, with error bars and the diagonal of perfect calibration.
struct ReliabilityPlot {
  std::string title, x_label, y_label, diagonal;
  std::vector<PlotCurve> curves;
  std::string language = "en";
};

FigureScript plot_calibration(const ReliabilityPlot& plot);

/// A matrix of numbers as coloured cells, with the words of each; NaN: an empty cell.
struct HeatMap {
  std::string title, x_label, y_label, colour_label;
  std::vector<std::string> rows, columns;
  std::vector<std::vector<double>> values;
  std::vector<std::vector<std::string>> words;  ///< "" for none
  double low = 0, high = 100;                   ///< ends of the colours, values beyond are cut
  bool small_is_bright = false;
  std::optional<std::pair<size_t, size_t>> marked = {};  ///< row and column of a cell with a frame
  std::string language = "en";
};

/// Throws UserError where there is not one cell for each row and column.
FigureScript plot_heat_map(const HeatMap& map);

/// Rows of coloured stretches: who showed what when, or in what shares.
struct StretchPlot {
  std::string title, x_label;
  std::vector<std::string> rows;                           ///< from top to bottom
  std::vector<std::pair<std::string, std::string>> kinds;  ///< name and colour ("#rrggbb") of each
  struct Stretch {
    size_t row, kind;
    double from, to;
  };
  std::vector<Stretch> stretches;
  double from = 0, to = 1;  ///< ends of the x axis
  std::string language = "en";
};

FigureScript plot_stretches(const StretchPlot& plot);

/// Epochs between two ticks of an axis that shows so many: 1, 2 or 5 times a power of ten.
int64_t epoch_step(int64_t epochs);

}  // namespace fercli
