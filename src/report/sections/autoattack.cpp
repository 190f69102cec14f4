// The standard cascade, and which of its attacks broke what.
#include "report/robust_view.hpp"
#include "report/section.hpp"

namespace fercli::autoattack_section {

namespace {

std::vector<Block> cascade(const Page& page, const ModelView& model) {
  const View& part = model.view;
  Table table{
      page.say("autoattack.table"), {{plain("eps (" + norm_of(part) + ")")}, {page.say("column.robust_accuracy")}}, {}};
  if (part.at("balanced")) table.header.push_back({page.say("column.balanced")});
  for (const auto& stage : part.at("stages").elements()) {
    table.header.push_back({page.say("autoattack.broken", {{"stage", page.text(stage.at("name"))}})});
  }
  for (size_t budget = 0; budget < part.at("eps").size(); ++budget) {
    std::vector<Cell> cells{{page.text(part.at("eps").at(budget))},
                            {page.metric(part.at("robust_accuracy").at(budget))}};
    if (part.at("balanced")) cells.push_back({page.metric(part.at("balanced").at(budget))});
    for (const auto& stage : part.at("stages").elements()) {
      cells.push_back({page.number(stage.at("broken").at(budget), NumberFormat::Count)});
    }
    table.rows.push_back(std::move(cells));
  }
  return {table};
}

std::vector<Block> write(const Page& page) {
  return write_models(page, "autoattack", cascade);
}

const RegisterTexts texts{
    {"autoattack.title", {"AutoAttack", "AutoAttack"}},
    {"autoattack.intro",
     {"The standard cascade of four attacks without parameters to tune, the figure to compare with published ones "
      "(Croce and Hein, ICML 2020). Each attack sees only the images that withstood those before it.",
      "La cascade de référence de quatre attaques sans paramètre à régler, le chiffre à comparer à ceux publiés "
      "(Croce et Hein, ICML 2020). Chaque attaque ne voit que les images qui ont résisté aux précédentes."}},
    {"autoattack.table",
     {"What the cascade leaves, and how many images each of its attacks broke.",
      "Ce que laisse la cascade, et combien d’images chacune de ses attaques a cassées."}},
    {"autoattack.broken", {"Broken by {stage}", "Cassées par {stage}"}},
};

const Register<Section> registered{{"autoattack", 40, write}};

}  // namespace

}  // namespace fercli::autoattack_section
