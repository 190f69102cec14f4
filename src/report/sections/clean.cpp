// How good the network is on unaltered images, and how far its confidence can be believed.
#include <fmt/format.h>

#include <cmath>

#include "core/error.hpp"
#include "report/section.hpp"

namespace fercli::clean_section {

namespace {

struct MetricRow {
  const char* name;
  NumberFormat format;
};
constexpr MetricRow kMetrics[] = {{"accuracy", NumberFormat::Percent},
                                  {"accuracy_deduplicated", NumberFormat::Percent},
                                  {"balanced_accuracy", NumberFormat::Percent},
                                  {"macro_f1", NumberFormat::Percent},
                                  {"ece", NumberFormat::Percent},
                                  {"ece_if_calibrated", NumberFormat::Percent},
                                  {"brier", NumberFormat::Fixed},
                                  {"nll", NumberFormat::Fixed}};

Table metrics_table(const Page& page, const std::vector<ModelView>& models) {
  Table table{page.say("clean.metrics"), {{page.say("column.measure")}}, {}};
  for (const auto& model : models) table.header.push_back({plain(model.name)});
  for (const auto& [name, format] : kMetrics) {
    std::vector<Cell> cells{{page.say(std::string("metric.") + name)}};
    bool any = false;
    for (const auto& model : models) {
      const View metric = model.view.at("metrics").at(name);
      any = any || metric;
      cells.push_back({page.metric(metric, format)});
    }
    if (any) table.rows.push_back(std::move(cells));
  }
  return table;
}

std::vector<Block> confusion(const Page& page, const ModelView& model) {
  const View matrix = model.view.at("confusion_matrix");
  const auto names = page.class_list(model.view);
  if (!matrix || names.empty()) return {};
  if (matrix.size() != names.size()) {
    throw UserError(
        fmt::format("report: {} has {} rows, but there are {} classes", matrix.pointer(), matrix.size(), names.size()));
  }
  HeatMap map;
  map.title = page.words("clean.confusion_title",
                         {{"model", model.name}, {"data", page.data_name(page.report().at("dataset").at("n"))}});
  map.x_label = page.words("axis.predicted");
  map.y_label = page.words("axis.true");
  map.colour_label = page.words("axis.share_of_class");
  map.language = page.language();
  Table table{page.say("clean.confusion_table"), {{page.say("column.true_class")}}, {}, true};
  for (size_t row = 0; row < matrix.size(); ++row) {
    map.columns.push_back(page.class_words(names[row]));
    map.rows.push_back(page.with_n(map.columns.back(), model.view.at("per_class").at(row).at("support")));
    table.header.push_back({plain(map.columns.back())});
    double total = 0;
    for (const auto& count : matrix.at(row).elements()) total += count.number();
    map.values.emplace_back();
    map.words.emplace_back();
    std::vector<Cell> cells{{plain(map.columns.back())}};
    for (const auto& count : matrix.at(row).elements()) {
      map.values.back().push_back(total > 0 ? 100 * count.number() / total : NAN);
      map.words.back().push_back(format_number(count.number(), NumberFormat::Count, page.language()));
      cells.push_back({page.number(count, NumberFormat::Count)});
    }
    table.rows.push_back(std::move(cells));
  }
  auto blocks = page.figure("confusion-" + slug(model.name), plot_heat_map(map),
                            page.words("clean.confusion_alt", {{"model", model.name}}), page.say("clean.confusion"));
  blocks.push_back(table);
  return blocks;
}

std::vector<Block> reliability(const Page& page, const ModelView& model) {
  const View bins = model.view.at("reliability");
  if (!bins) return {};
  ReliabilityPlot plot;
  plot.title = page.words("clean.reliability_title",
                          {{"model", model.name}, {"data", page.data_name(page.report().at("dataset").at("n"))}});
  plot.x_label = page.words("axis.confidence");
  plot.y_label = page.words("axis.accuracy");
  plot.diagonal = page.words("clean.diagonal");
  plot.language = page.language();
  plot.curves.push_back(page.reliability_curve(bins, page.words("clean.bins")));
  return page.figure("reliability-" + slug(model.name), plot_calibration(plot),
                     page.words("clean.reliability_alt", {{"model", model.name}}),
                     page.say("clean.reliability", {{"ece", page.metric(model.view.at("metrics").at("ece"))}}));
}

std::vector<Block> per_class(const Page& page, const ModelView& model) {
  const View entries = model.view.at("per_class"), shares = model.view.at("share_predicted");
  if (!entries) return {};
  Table table{page.say("clean.per_class"),
              {{page.say("column.class")},
               {page.say("column.images")},
               {page.say("metric.precision")},
               {page.say("metric.recall")},
               {page.say("metric.f1")}},
              {}};
  if (shares) table.header.push_back({page.say("column.share_of_answers")});
  for (size_t k = 0; k < entries.size(); ++k) {
    const View entry = entries.at(k);
    std::vector<Cell> cells{{page.class_name(entry.at("class"))},
                            {page.number(entry.at("support"), NumberFormat::Count)}};
    for (const char* name : {"precision", "recall", "f1"}) cells.push_back({page.metric(entry.at(name))});
    if (shares) cells.push_back({page.metric(shares.at(k))});
    table.rows.push_back(std::move(cells));
  }
  return {table};
}

std::vector<Block> write(const Page& page) {
  const auto models = page.models("clean");
  if (models.empty()) return {};
  std::vector<Block> blocks{metrics_table(page, models)};
  for (const auto& model : models) {
    auto of_model = confusion(page, model);
    add(of_model, per_class(page, model));
    add(of_model, reliability(page, model));
    add_model(blocks, page, model.name, std::move(of_model));
  }
  return blocks;
}

const RegisterTexts texts{
    {"clean.title", {"Unaltered images", "Images intactes"}},
    {"clean.metrics", {"How well each model does without an adversary.", "Ce que vaut chaque modèle sans adversaire."}},
    {"clean.confusion_title", {"{model}: confusion matrix, {data}", "{model} : matrice de confusion, {data}"}},
    {"clean.confusion_alt",
     {"Confusion matrix of {model}: true classes in rows, predicted ones in columns",
      "Matrice de confusion de {model} : classes vraies en lignes, prédites en colonnes"}},
    {"clean.confusion",
     {"What each emotion is taken for. The number in a cell counts images; the colour is their share of the row.",
      "Pour quoi chaque émotion est prise. Le nombre d’une case compte des images ; la couleur est leur part de la "
      "ligne."}},
    {"clean.confusion_table",
     {"The confusion matrix as numbers of images", "La matrice de confusion en nombres d’images"}},
    {"clean.per_class",
     {"Each emotion by itself. Precision: how often the answer is right when given; recall: how many of its images "
      "are found.",
      "Chaque émotion à part. Précision : part de réponses justes parmi celles données ; rappel : part de ses images "
      "retrouvées."}},
    {"clean.reliability_title",
     {"{model}: is its confidence right? {data}", "{model} : sa confiance est-elle juste ? {data}"}},
    {"clean.reliability_alt",
     {"Reliability diagram of {model}: accuracy against confidence",
      "Diagramme de fiabilité de {model} : exactitude selon la confiance"}},
    {"clean.reliability",
     {"On the diagonal, “80 % sure” means right in 80 % of the cases; below it, the model is too sure of itself. "
      "Bars are 95 % intervals. Calibration error {ece}.",
      "Sur la diagonale, « sûr à 80 % » veut dire juste dans 80 % des cas ; en dessous, le modèle est trop sûr de "
      "lui. Les barres sont des intervalles à 95 %. Erreur de calibration {ece}."}},
    {"clean.bins", {"measured, with 95 % intervals", "mesurée, avec intervalles à 95 %"}},
    {"metric.accuracy_deduplicated",
     {"Accuracy without images that are in the training set", "Exactitude sans les images déjà vues à l’entraînement"}},
    {"metric.macro_f1", {"Macro F1", "F1 macro"}},
    {"metric.precision", {"Precision", "Précision"}},
    {"metric.recall", {"Recall", "Rappel"}},
    {"metric.f1", {"F1", "F1"}},
    {"axis.predicted", {"predicted class", "classe prédite"}},
    {"axis.true", {"true class", "classe vraie"}},
    {"axis.share_of_class", {"share of the true class (%)", "part de la classe vraie (%)"}},
};

const Register<Section> registered{{"clean", 20, write}};

}  // namespace

}  // namespace fercli::clean_section
