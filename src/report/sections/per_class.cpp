// Which emotions lose most: robust accuracy of each class under all attacks, and how far the classes lie apart.
#include <cmath>

#include "report/robust_view.hpp"
#include "report/section.hpp"

namespace fercli {

namespace {

std::vector<Block> curves(const Page& page, const ModelView& model) {
  const std::string norm = model.view.at("norm").text();
  CurvePlot plot = robust_plot(page, norm);
  plot.title =
      page.words("per_class.figure_title", {{"model", model.name}, {"data", page.data_name(model.view.at("n"))}});
  plot.x_tics = eps_tics(model.view.at("eps"), norm);
  for (const auto& entry : model.view.at("per_class").elements()) {
    PlotCurve curve{page.with_n(page.class_words(entry.at("class").text()), entry.at("robust").at(0).at("n")), {}};
    for (size_t rung = 0; rung < entry.at("robust").size(); ++rung) {
      curve.points.push_back(
          curve_point(eps_axis(eps_value(model.view.at("eps").at(rung)), norm), entry.at("robust").at(rung)));
      curve.points.back().low = curve.points.back().high = NAN;  // seven bands would hide each other
    }
    plot.curves.push_back(std::move(curve));
  }
  return page.figure("per-class-" + slug(model.name), plot_curves(plot),
                     page.words("per_class.figure_alt", {{"model", model.name}}), page.say("per_class.figure"));
}

Table classes_table(const Page& page, const View& part) {
  std::vector<std::vector<View>> rows;
  for (const auto& entry : part.at("per_class").elements()) rows.push_back(entry.at("robust").elements());
  const bool shared = Page::share_n(rows);
  Table table{page.say("per_class.table"), {{page.say("column.class")}}, {}};
  for (const auto& eps : part.at("eps").elements()) table.header.push_back({plain("eps ") + page.text(eps)});
  if (shared) table.header.push_back({plain("n")});
  for (size_t k = 0; k < rows.size(); ++k) {
    std::vector<Cell> cells{{page.class_name(part.at("per_class").at(k).at("class"))}};
    for (auto& cell : page.metric_cells(rows[k], NumberFormat::Percent, shared)) cells.push_back(std::move(cell));
    table.rows.push_back(std::move(cells));
  }
  return table;
}

/// "At eps 4/255 from 3.1 % (Fear) to 41.0 % (Happy)."
std::vector<Block> spread(const Page& page, const ModelView& model) {
  const RobustPoint point = worst_point(page, model.name);
  const auto entries = model.view.at("per_class").elements();
  const View *lowest = nullptr, *highest = nullptr;
  for (const auto& entry : entries) {
    const View value = entry.at("robust").at(point.rung);
    if (std::isnan(value_of(value))) continue;
    if (!lowest || value_of(value) < value_of(lowest->at("robust").at(point.rung))) lowest = &entry;
    if (!highest || value_of(value) > value_of(highest->at("robust").at(point.rung))) highest = &entry;
  }
  if (!lowest) return {};
  return {Paragraph{page.say("per_class.spread", {{"eps", page.text(point.eps)},
                                                  {"lowest", page.metric(lowest->at("robust").at(point.rung))},
                                                  {"lowest_class", page.class_name(lowest->at("class"))},
                                                  {"highest", page.metric(highest->at("robust").at(point.rung))},
                                                  {"highest_class", page.class_name(highest->at("class"))}})}};
}

std::vector<Block> write(const Page& page) {
  std::vector<Block> blocks;
  for (const auto& model : page.models("robustness")) {
    if (model.view.at("per_class").size() == 0) continue;
    auto of_model = spread(page, model);
    add(of_model, curves(page, model));
    of_model.push_back(classes_table(page, model.view));
    add_model(blocks, page, model.name, std::move(of_model));
  }
  return blocks;
}

const Register<Section> registered{{"per_class", 60, write}};

}  // namespace

}  // namespace fercli
