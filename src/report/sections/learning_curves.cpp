// How the networks were trained, where their files tell.
#include "report/section.hpp"

namespace fercli::learning_curves_section {

namespace {

PlotCurve curve(const Page& page, const View& epochs, const std::string& key, double scale) {
  PlotCurve curve{page.words("learning_curves." + key), {}};
  for (const auto& epoch : epochs.elements()) {
    if (epoch.at(key)) curve.points.push_back({epoch.at("epoch").number(), scale * epoch.at(key).number()});
  }
  return curve;
}

std::vector<Block> panel(const Page& page, const ModelView& model, const std::string& what, double scale,
                         const std::vector<std::string>& keys) {
  CurvePlot plot;
  plot.title = page.words("learning_curves." + what + "_title", {{"model", model.name}});
  plot.x_label = page.words("axis.epoch");
  plot.y_label = page.words("axis." + what);
  plot.y_top = scale == 100 ? 100 : 0;
  plot.points = model.view.size() <= 40;
  plot.language = page.language();
  const auto last = static_cast<int64_t>(model.view.size()), step = epoch_step(last);
  for (int64_t epoch = step; epoch <= last; epoch += step)
    plot.x_tics.emplace_back(std::to_string(epoch), static_cast<double>(epoch));
  for (const auto& key : keys) {
    if (auto next = curve(page, model.view, key, scale); !next.points.empty()) plot.curves.push_back(std::move(next));
  }
  if (plot.curves.empty()) return {};
  return page.figure("learning-" + slug(what) + "-" + slug(model.name), plot_curves(plot),
                     page.words("learning_curves.alt", {{"model", model.name}}), page.say("learning_curves." + what));
}

struct Column {
  const char* name;
  NumberFormat format;
};
constexpr Column kColumns[] = {{"train_loss", NumberFormat::Fixed},
                               {"validation_loss", NumberFormat::Fixed},
                               {"train_accuracy", NumberFormat::Percent},
                               {"validation_accuracy", NumberFormat::Percent},
                               {"robust_accuracy", NumberFormat::Percent}};

Table epochs_table(const Page& page, const View& epochs) {
  Table table{page.say("learning_curves.table"), {{page.say("axis.epoch")}}, {}, true};
  for (const auto& epoch : epochs.elements())
    table.rows.push_back({{page.number(epoch.at("epoch"), NumberFormat::Count)}});
  for (const auto& [name, format] : kColumns) {
    if (!epochs.at(0).at(name)) continue;
    table.header.push_back({page.say(std::string("learning_curves.head.") + name)});
    for (size_t i = 0; i < epochs.size(); ++i) table.rows[i].push_back({page.number(epochs.at(i).at(name), format)});
  }
  return table;
}

std::vector<Block> write(const Page& page) {
  std::vector<Block> blocks;
  for (const auto& model : page.models("learning_curves")) {
    auto of_model =
        panel(page, model, "accuracy_percent", 100, {"train_accuracy", "validation_accuracy", "robust_accuracy"});
    add(of_model, panel(page, model, "loss", 1, {"train_loss", "validation_loss"}));
    of_model.push_back(epochs_table(page, model.view));
    add_model(blocks, page, model.name, std::move(of_model));
  }
  return blocks;
}

const RegisterTexts texts{
    {"learning_curves.title", {"Training", "Entraînement"}},
    {"learning_curves.accuracy_percent_title",
     {"{model}: accuracy during training", "{model} : exactitude pendant l’entraînement"}},
    {"learning_curves.accuracy_percent", {"Accuracy after each epoch.", "Exactitude après chaque époque."}},
    {"learning_curves.loss_title", {"{model}: loss during training", "{model} : perte pendant l’entraînement"}},
    {"learning_curves.loss", {"Loss after each epoch.", "Perte après chaque époque."}},
    {"learning_curves.table", {"Each epoch in numbers", "Chaque époque en chiffres"}},
    {"learning_curves.head.train_loss", {"Training loss", "Perte, entraînement"}},
    {"learning_curves.head.validation_loss", {"Validation loss", "Perte, validation"}},
    {"learning_curves.head.train_accuracy", {"Training accuracy", "Exactitude, entraînement"}},
    {"learning_curves.head.validation_accuracy", {"Validation accuracy", "Exactitude, validation"}},
    {"learning_curves.head.robust_accuracy", {"Robust accuracy", "Exactitude robuste"}},
    {"learning_curves.alt", {"Learning curves of {model}", "Courbes d’apprentissage de {model}"}},
    {"learning_curves.train_accuracy", {"training", "entraînement"}},
    {"learning_curves.validation_accuracy", {"validation", "validation"}},
    {"learning_curves.robust_accuracy", {"robust, validation", "robuste, validation"}},
    {"learning_curves.train_loss", {"training", "entraînement"}},
    {"learning_curves.validation_loss", {"validation", "validation"}},
    {"axis.epoch", {"epoch", "époque"}},
    {"axis.loss", {"loss (nats)", "perte (nats)"}},
};

const Register<Section> registered{{"learning_curves", 140, write}};

}  // namespace

}  // namespace fercli::learning_curves_section
