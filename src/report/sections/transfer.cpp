// Whether images made on one model fool the others.
#include "report/section.hpp"

namespace fercli::transfer_section {

namespace {

std::vector<std::string> models_of(const Page& page, const View& part) {
  std::vector<std::string> names;
  for (const auto& name : part.at("models").elements()) names.push_back(name.text());
  return names.empty() ? page.model_names() : names;
}

std::vector<Block> write(const Page& page) {
  const View part = page.part("transfer"), matrix = part.at("success");
  const auto names = models_of(page, part);
  if (matrix.size() < 2 || names.size() != matrix.size()) return {};
  HeatMap map;
  map.title =
      page.words("transfer.title_figure", {{"eps", part.at("eps").text()}, {"data", page.data_name(part.at("n"))}});
  map.x_label = page.words("axis.evaluated_on");
  map.y_label = page.words("axis.made_on");
  map.colour_label = page.words("axis.success");
  map.language = page.language();
  map.rows = map.columns = names;
  Table table{page.say("transfer.table", {{"eps", page.text(part.at("eps"))}}), {{page.say("column.made_on")}}, {}};
  for (const auto& name : names) table.header.push_back({plain(name)});
  for (size_t row = 0; row < matrix.size(); ++row) {
    std::vector<Cell> cells{{plain(names[row])}};
    page.add_row(map, matrix.at(row), 100, NumberFormat::Percent);
    for (const auto& cell : matrix.at(row).elements()) cells.push_back({page.metric(cell)});
    table.rows.push_back(std::move(cells));
  }
  std::vector<Block> blocks{Paragraph{page.say("transfer.intro")}};
  add(blocks, page.figure("transfer", plot_heat_map(map), page.words("transfer.alt"),
                          page.say("transfer.figure", {{"eps", page.text(part.at("eps"))}})));
  blocks.push_back(table);
  return blocks;
}

const RegisterTexts texts{
    {"transfer.title", {"Transfer between the models", "Transfert entre les modèles"}},
    {"transfer.intro",
     {"Images made on one model, shown to the others: what an attacker achieves who does not know the model.",
      "Images faites sur un modèle, montrées aux autres : ce qu’obtient un attaquant qui ne connaît pas le "
      "modèle."}},
    {"transfer.title_figure",
     {"Success of transferred images at eps {eps}, {data}", "Réussite des images transférées à eps {eps}, {data}"}},
    {"transfer.alt",
     {"Heat map: success of images made on one model and evaluated on another",
      "Carte de chaleur : réussite des images faites sur un modèle et évaluées sur un autre"}},
    {"transfer.figure",
     {"Share of the images that fool the model of the column, eps {eps}.",
      "Part des images qui trompent le modèle de la colonne, eps {eps}."}},
    {"transfer.table", {"Success of transferred images at eps {eps}.", "Réussite des images transférées à eps {eps}."}},
    {"axis.evaluated_on", {"evaluated on", "évaluée sur"}},
    {"axis.made_on", {"made on", "faite sur"}},
};

const Register<Section> registered{{"transfer", 80, write}};

}  // namespace

}  // namespace fercli::transfer_section
