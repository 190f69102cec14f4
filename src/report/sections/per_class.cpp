// Which emotions lose most: robust accuracy of each class under all attacks, and how far the classes lie apart.
#include <cmath>

#include "report/robust_view.hpp"
#include "report/section.hpp"

namespace fercli::per_class_section {

namespace {

/// The recall on unaltered images; absent where that was taken on others.
View clean_recall(const Page& page, const std::string& model, const View& entry) {
  for (const auto& clean : page.part("clean").at(model).at("per_class").elements()) {
    const bool same_images = clean.at("recall").at("n").json() == entry.at("robust").at(0).at("n").json();
    if (clean.at("class").json() == entry.at("class").json() && same_images) return clean.at("recall");
  }
  return {};
}

/// Without bands: seven would hide each other.
PlotCurve class_curve(const Page& page, const ModelView& model, const View& entry) {
  const View accuracies = entry.at("robust");
  const std::string name = page.class_words(entry.at("class").text()), norm = norm_of(model.view);
  PlotCurve curve{page.with_n(name, accuracies.at(0).at("n")), {}};
  if (const View clean = clean_recall(page, model.name, entry)) curve.points.push_back({0, 100 * value_of(clean)});
  for (size_t budget = 0; budget < accuracies.size(); ++budget) {
    curve.points.push_back(
        {eps_axis(eps_value(model.view.at("eps").at(budget)), norm), 100 * value_of(accuracies.at(budget))});
  }
  return curve;
}

std::vector<Block> curves(const Page& page, const ModelView& model) {
  const std::string norm = norm_of(model.view);
  CurvePlot plot = robust_plot(page, norm);
  plot.title =
      page.words("per_class.figure_title", {{"model", model.name}, {"data", page.data_name(model.view.at("n"))}});
  plot.x_tics = eps_tics(model.view.at("eps"), norm);
  for (const auto& entry : model.view.at("per_class").elements())
    plot.curves.push_back(class_curve(page, model, entry));
  return page.figure("per-class-" + slug(model.name), plot_curves(plot),
                     page.words("per_class.figure_alt", {{"model", model.name}}), page.say("per_class.figure"));
}

Table classes_table(const Page& page, const View& part) {
  std::vector<Text> names;
  std::vector<std::vector<View>> rows;
  for (const auto& entry : part.at("per_class").elements()) {
    names.push_back(page.class_name(entry.at("class")));
    rows.push_back(entry.at("robust").elements());
  }
  Table table{page.say("per_class.table"), {{page.say("column.class")}}, {}};
  for (const auto& eps : part.at("eps").elements())
    table.header.push_back({plain("eps ") + bound_of(page, norm_of(part), eps)});
  page.add_shares(table, names, rows);
  return table;
}

/// "At eps 4/255 from 3.1 % (Fear) to 41.0 % (Happy)."
std::vector<Block> spread(const Page& page, const ModelView& model) {
  const RobustPoint point = worst_point(page, model.name);
  const auto entries = model.view.at("per_class").elements();
  const View *lowest = nullptr, *highest = nullptr;
  for (const auto& entry : entries) {
    const View value = entry.at("robust").at(point.budget);
    if (std::isnan(value_of(value))) continue;
    if (!lowest || value_of(value) < value_of(lowest->at("robust").at(point.budget))) lowest = &entry;
    if (!highest || value_of(value) > value_of(highest->at("robust").at(point.budget))) highest = &entry;
  }
  if (!lowest) return {};
  return {Paragraph{page.say("per_class.spread", {{"eps", bound_of(page, point.norm, point.eps)},
                                                  {"lowest", page.metric(lowest->at("robust").at(point.budget))},
                                                  {"lowest_class", page.class_name(lowest->at("class"))},
                                                  {"highest", page.metric(highest->at("robust").at(point.budget))},
                                                  {"highest_class", page.class_name(highest->at("class"))}})}};
}

std::vector<Block> write(const Page& page) {
  std::vector<Block> blocks;
  for (const auto& model : page.models("robustness")) {
    if (model.view.at("per_class").size() == 0) continue;
    auto of_model = spread(page, model);
    add(of_model, curves(page, model));
    of_model.push_back(classes_table(page, model.view));
    add_model(blocks, page, model.name, under_threat(page, model.name, std::move(of_model)));
  }
  return blocks;
}

const RegisterTexts texts{
    {"per_class.title", {"Emotion by emotion under attack", "Émotion par émotion sous attaque"}},
    {"per_class.spread",
     {"At eps {eps}, robust accuracy goes from {lowest} ({lowest_class}) to {highest} ({highest_class}).",
      "À eps {eps}, l’exactitude robuste va de {lowest} ({lowest_class}) à {highest} ({highest_class})."}},
    {"per_class.figure_title",
     {"{model}: robust accuracy of each class, {data}", "{model} : exactitude robuste de chaque classe, {data}"}},
    {"per_class.figure_alt",
     {"Robust accuracy of {model} against eps, one curve per emotion",
      "Exactitude robuste de {model} en fonction d’eps, une courbe par émotion"}},
    {"per_class.figure",
     {"Robust accuracy of each emotion under all attacks together; the intervals are in the table.",
      "Exactitude robuste de chaque émotion sous toutes les attaques ensemble ; les intervalles sont dans la "
      "table."}},
    {"per_class.table",
     {"Robust accuracy of each emotion, all attacks together.",
      "Exactitude robuste de chaque émotion, toutes attaques ensemble."}},
};

const Register<Section> registered{{"per_class", 60, write}};

}  // namespace

}  // namespace fercli::per_class_section
