#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "report/document.hpp"
#include "report/page.hpp"

namespace fercli {

/// What several sections read from the robustness parts of a report.

/// Robust accuracy at one eps of a grid; null views when there is none.
struct RobustPoint {
  std::string norm;
  View eps, accuracy;
  size_t budget = 0;
  bool autoattack = false;
};

/// "4/255 (Linf)".
Text bound_of(const Page& page, const std::string& norm, const View& eps);

/// The worst of all attacks, or AutoAttack, at the reference eps: 4/255 where the grid has it, else the budget
/// nearest to it.
RobustPoint worst_point(const Page& page, const std::string& model);
RobustPoint autoattack_point(const Page& page, const std::string& model);
/// AutoAttack's where it was run, else the worst of the others.
RobustPoint reference_point(const Page& page, const std::string& model);

/// What randomised smoothing certifies with the smallest sigma, at the radius nearest to it.
struct CertifiedPoint {
  View sigma, radius, accuracy;
};
CertifiedPoint certified_point(const Page& page, const std::string& model);

/// The norm of a part of "robustness"; Linf where it is not said.
std::string norm_of(const View& part);

/// " (goal any-to-sad, only pixels of mask 0a1b2c3d)": what sets the attacks on this model apart from any change of any
/// pixel that leaves an 8-bit image, made on the model itself; empty: nothing does.
Text threat_words(const Page& page, const std::string& model);

/// The same behind the captions of tables and figures.
std::vector<Block> under_threat(const Page& page, const std::string& model, std::vector<Block> blocks);

/// Robust accuracy against eps, without curves; `norm` as in the JSON.
CurvePlot robust_plot(const Page& page, const std::string& norm);

/// A curve through `accuracies` at the part's eps, from the clean accuracy at eps 0 on. x as on `robust_plot`'s axis.
PlotCurve robust_curve(const Page& page, const std::string& model, const View& part, const View& accuracies,
                       const std::string& name);

/// In Linf, tics at grey levels; in other norms none.
std::vector<std::pair<std::string, double>> eps_tics(const View& ladder, const std::string& norm);
/// eps on the axis: grey levels in Linf.
double eps_axis(double eps, const std::string& norm);
NumberFormat eps_format(const std::string& norm);

/// Places of happy and sad among these classes, whatever the language or spelling.
std::optional<std::pair<size_t, size_t>> happy_to_sad(const std::vector<std::string>& classes);

}  // namespace fercli
