// How sure the network is when it is wrong because it was made to be.
#include "report/section.hpp"

namespace fercli::calibration_under_attack_section {

namespace {

struct MeasureRow {
  const char* name;
  NumberFormat format;
};
constexpr MeasureRow kMeasures[] = {{"accuracy", NumberFormat::Percent}, {"mean_confidence", NumberFormat::Percent},
                                    {"ece", NumberFormat::Percent},      {"ece_if_calibrated", NumberFormat::Percent},
                                    {"brier", NumberFormat::Fixed},      {"nll", NumberFormat::Fixed}};

Table measures(const Page& page, const View& part) {
  Table table{page.say("calibration_under_attack.table"),
              {{page.say("column.measure")}, {page.say("column.clean")}, {page.say("column.attacked")}},
              {}};
  for (const auto& [name, format] : kMeasures) {
    const View before = part.at("clean").at(name), after = part.at("attacked").at(name);
    if (!before && !after) continue;
    table.rows.push_back(
        {{page.say(std::string("metric.") + name)}, {page.metric(before, format)}, {page.metric(after, format)}});
  }
  return table;
}

std::vector<Block> diagram(const Page& page, const ModelView& model) {
  const View attacked = model.view.at("reliability");
  if (!attacked) return {};
  ReliabilityPlot plot;
  plot.title = page.words("calibration_under_attack.figure_title",
                          {{"model", model.name}, {"data", page.data_name(model.view.at("n"))}});
  plot.x_label = page.words("axis.confidence");
  plot.y_label = page.words("axis.accuracy");
  plot.diagonal = page.words("clean.diagonal");
  plot.language = page.language();
  const View own = model.view.at("reliability_clean");
  const View clean = own ? own : page.part("clean").at(model.name).at("reliability");
  if (clean) plot.curves.push_back(page.reliability_curve(clean, page.words("column.clean")));
  plot.curves.push_back(page.reliability_curve(attacked, page.words("column.attacked")));
  return page.figure("calibration-under-attack-" + slug(model.name), plot_calibration(plot),
                     page.words("calibration_under_attack.alt", {{"model", model.name}}),
                     page.say("calibration_under_attack.figure", {{"eps", page.text(model.view.at("eps"))}}));
}

std::vector<Block> of_model(const Page& page, const ModelView& model) {
  auto blocks = diagram(page, model);
  blocks.push_back(measures(page, model.view));
  return blocks;
}

std::vector<Block> write(const Page& page) {
  return write_models(page, "calibration_under_attack", of_model);
}

const RegisterTexts texts{
    {"calibration_under_attack.title", {"Confidence under attack", "Confiance sous attaque"}},
    {"calibration_under_attack.intro",
     {"A model that is fooled should at least be unsure. This is how sure it is.",
      "Un modèle trompé devrait au moins hésiter. Voici combien il est sûr de lui."}},
    {"calibration_under_attack.table",
     {"Unaltered and attacked images compared.", "Images intactes et attaquées comparées."}},
    {"calibration_under_attack.figure_title",
     {"{model}: confidence under attack, {data}", "{model} : confiance sous attaque, {data}"}},
    {"calibration_under_attack.alt",
     {"Reliability diagram of {model}, unaltered and attacked images",
      "Diagramme de fiabilité de {model}, images intactes et attaquées"}},
    {"calibration_under_attack.figure",
     {"Share of right answers against confidence, at eps {eps}. Bars are 95 % intervals.",
      "Part de réponses justes selon la confiance, à eps {eps}. Barres : intervalles à 95 %."}},
    {"metric.mean_confidence", {"Mean confidence", "Confiance moyenne"}},
};

const Register<Section> registered{{"calibration_under_attack", 110, write}};

}  // namespace

}  // namespace fercli::calibration_under_attack_section
