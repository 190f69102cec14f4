#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "report/document.hpp"
#include "report/figure_plots.hpp"
#include "report/number_format.hpp"
#include "report/report.hpp"
#include "report/texts.hpp"
#include "report/view.hpp"

namespace fercli {

/// One model in one part of the report.
struct ModelView {
  std::string name;
  View view;
};

/// What a section writes with: the report, the language, and the place of the figures.
class Page {
 public:
  Page(const nlohmann::json& report, RenderOptions options, std::filesystem::path folder);

  const View& report() const { return report_; }
  View part(const std::string& name) const { return report_.at("parts").at(name); }
  /// The models that the part has, in the order of the report's "models"; none when the part is missing.
  std::vector<ModelView> models(const std::string& part) const;
  std::vector<std::string> model_names() const;
  bool several_models() const { return report_.at("models").size() > 1; }
  const RenderOptions& options() const { return options_; }
  const std::string& language() const { return options_.language; }

  /// The program's words in the report's language, see texts.hpp.
  std::string words(const std::string& key, const Words& values = {}) const;
  Text say(const std::string& key, const Phrases& values = {}) const;

  Text number(const View& view, NumberFormat format) const;
  Text text(const View& view) const;     ///< a text, or a number as JSON writes it
  Text message(const View& view) const;  ///< a Message of the JSON, in the report's language
  Text class_name(const View& view) const;
  std::string class_words(const std::string& name) const;

  /// A Metric: "72.3 % (70.8–73.7)", the interval small; or a bare value. With `n`: "…; n = 3589)".
  enum class Sample { Shown, Elsewhere };
  Text metric(const View& view, NumberFormat format = NumberFormat::Percent, Sample n = Sample::Shown) const;

  /// "12.0 % / 10.0 %": a list of proportions or Metrics.
  Text values(const View& list) const;

  /// Adds a row of shares behind each name. When the Metrics of each row are about one number of images, that is a last
  /// column "n", and true is returned; else each cell has its own.
  bool add_shares(Table& table, const std::vector<Text>& names, const std::vector<std::vector<View>>& rows) const;
  /// Adds a row of Metrics, or numbers, times `scale`.
  void add_row(HeatMap& map, const View& row, double scale, NumberFormat format) const;

  /// Draws FOLDER/figures/NAME.png and .svg; a name that this page has used gets a number. Nothing when that cannot be
  /// done: a warning was given.
  std::vector<Block> figure(const std::string& name, const FigureScript& script, const std::string& alt,
                            const Text& caption) const;
  /// FOLDER/figures/NAME of a picture that the report contains; a name that this page has used gets a number.
  Card::Picture picture(const std::string& name, const std::string& png, const std::string& alt,
                        const Text& caption) const;

  /// The part's own "classes", else the data set's.
  std::vector<std::string> class_list(const View& part) const;
  /// Bins of a reliability diagram.
  PlotCurve reliability_curve(const View& bins, const std::string& name) const;
  /// "FER2013 PublicTest, n = 500": the images of the report, and how many of them a figure is about.
  std::string data_name() const;
  std::string data_name(const View& n) const;
  /// "Happy (n = 87)".
  std::string with_n(const std::string& name, const View& n) const;

 private:
  /// FOLDER/figures/NAME without extension. Names of models that differ in case or signs alone have one slug.
  std::filesystem::path place_of(const std::string& name) const;

  View report_;
  RenderOptions options_;
  std::filesystem::path folder_;
  mutable std::vector<std::string> drawn_;  ///< names of figures and pictures
};

/// "PGD 20, standard" -> "pgd-20-standard": part of a file name or an anchor.
std::string slug(const std::string& name);

/// A Metric's value, or the number itself.
double value_of(const View& metric);
/// What a curve shows of a Metric (or number) at x, times `scale`.
CurvePoint curve_point(double x, const View& metric, double scale = 100);

/// "4/255" or a number -> its value. Throws UserError.
double eps_value(const View& eps);

}  // namespace fercli
