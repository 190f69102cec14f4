#include "report/robust_view.hpp"

#include <fmt/format.h>

#include <cmath>

#include "data/label_set.hpp"
#include "eval/robustness_summary.hpp"

namespace fercli {

namespace {

constexpr double kReferenceEps = 4 / 255.0;
constexpr const char* kLinf = "Linf";

RobustPoint point_at_reference(const View& part, const View& accuracies) {
  const View ladder = part.at("eps");
  RobustPoint point{norm_of(part), ladder.at(size_t{0}), accuracies.at(size_t{0})};
  for (size_t budget = 0; budget < ladder.size(); ++budget) {
    if (std::abs(eps_value(ladder.at(budget)) - kReferenceEps) < std::abs(eps_value(point.eps) - kReferenceEps)) {
      point = {point.norm, ladder.at(budget), accuracies.at(budget), budget};
    }
  }
  return point;
}

}  // namespace

RobustPoint worst_point(const Page& page, const std::string& model) {
  const View part = page.part("robustness").at(model);
  return point_at_reference(part, part.at("worst").at("robust_accuracy"));
}

RobustPoint autoattack_point(const Page& page, const std::string& model) {
  const View part = page.part("autoattack").at(model);
  RobustPoint point = point_at_reference(part, part.at("robust_accuracy"));
  point.autoattack = true;
  return point;
}

RobustPoint reference_point(const Page& page, const std::string& model) {
  RobustPoint point = autoattack_point(page, model);
  return point.accuracy ? point : worst_point(page, model);
}

Text bound_of(const Page& page, const std::string& norm, const View& eps) {
  return page.text(eps) + plain(" (" + norm + ")");
}

CertifiedPoint certified_point(const Page& page, const std::string& model) {
  View least;
  for (const auto& curve : page.part("smoothing").at(model).at("curves").elements()) {
    if (!least || curve.at("sigma").number() < least.at("sigma").number()) least = curve;
  }
  const double sigma = least.at("sigma").number();
  const View radii = least.at("radius");
  size_t nearest = 0;
  for (size_t i = 0; i < radii.size(); ++i) {
    if (std::abs(radii.at(i).number() - sigma) < std::abs(radii.at(nearest).number() - sigma)) nearest = i;
  }
  return {least.at("sigma"), radii.at(nearest), least.at("certified_accuracy").at(nearest)};
}

std::string norm_of(const View& part) {
  return part.at("norm") ? part.at("norm").text() : kLinf;
}

Text threat_words(const Page& page, const std::string& model) {
  const View attack = page.report().at("outcomes").at(model).at("attacks").at(size_t{0});
  if (!attack) return {};
  Text words;
  for (const auto& [kind, value] : describe_restrictions(Shape<Restrictions>::read(attack.json()))) {
    words = words + plain(words.empty() ? " (" : ", ") + page.say("threat." + kind, {{"value", plain(value)}});
  }
  return words.empty() ? words : words + plain(")");
}

namespace {

/// In front of the full stop that ends a caption.
Text with_threat(Text caption, const Text& threat) {
  if (threat.empty() || caption.empty() || caption.back().text.empty() || caption.back().text.back() != '.')
    return caption + threat;
  caption.back().text.pop_back();
  return caption + threat + plain(".");
}

}  // namespace

std::vector<Block> under_threat(const Page& page, const std::string& model, std::vector<Block> blocks) {
  const Text threat = threat_words(page, model);
  for (auto& block : blocks) {
    if (auto* table = std::get_if<Table>(&block)) table->caption = with_threat(table->caption, threat);
    if (auto* figure = std::get_if<Figure>(&block)) figure->caption = with_threat(figure->caption, threat);
  }
  return blocks;
}

CurvePlot robust_plot(const Page& page, const std::string& norm) {
  CurvePlot plot;
  plot.x_label = norm == kLinf ? page.words("axis.eps_grey") : page.words("axis.eps", {{"norm", norm}});
  plot.y_label = page.words("axis.robust_accuracy");
  plot.language = page.language();
  return plot;
}

PlotCurve robust_curve(const Page& page, const std::string& model, const View& part, const View& accuracies,
                       const std::string& name) {
  const std::string norm = norm_of(part);
  PlotCurve curve{name, {}};
  const View clean = page.part("clean").at(model).at("metrics").at("accuracy");
  if (clean && accuracies.size() > 0 && eps_value(part.at("eps").at(size_t{0})) > 0) {
    const View first = accuracies.at(size_t{0});  // a part on fewer images does not begin at the accuracy on all
    const bool same = !first.json().is_object() || first.at("n").json() == clean.at("n").json();
    if (same) curve.points.push_back(curve_point(0, clean));
  }
  for (size_t budget = 0; budget < accuracies.size(); ++budget) {
    curve.points.push_back(curve_point(eps_axis(eps_value(part.at("eps").at(budget)), norm), accuracies.at(budget)));
  }
  return curve;
}

std::vector<std::pair<std::string, double>> eps_tics(const View& ladder, const std::string& norm) {
  std::vector<std::pair<std::string, double>> tics;
  if (norm != kLinf) return tics;
  tics.emplace_back("0", 0);
  for (const auto& eps : ladder.elements()) {
    const double place = eps_axis(eps_value(eps), norm);
    tics.emplace_back(fmt::format("{:.4g}", place), place);
  }
  return tics;
}

double eps_axis(double eps, const std::string& norm) {
  return norm == kLinf ? 255 * eps : eps;
}

NumberFormat eps_format(const std::string& norm) {
  return norm == kLinf ? NumberFormat::Grey : NumberFormat::Short;
}

std::optional<std::pair<size_t, size_t>> happy_to_sad(const std::vector<std::string>& classes) {
  const LabelSet labels(classes);
  const auto happy = labels.find("Happy"), sad = labels.find("Sad");
  if (!happy || !sad) return std::nullopt;
  return std::pair<size_t, size_t>(*happy, *sad);
}

}  // namespace fercli
