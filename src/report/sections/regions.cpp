// Which part of the face matters most for which emotion.
#include "report/robust_view.hpp"
#include "report/section.hpp"

namespace fercli::regions_section {

namespace {

std::string region_words(const Page& page, const View& region) {
  const std::string key = "region." + region.text();
  return is_text(key) ? page.words(key) : region.text();
}

std::vector<Block> map_of(const Page& page, const ModelView& model) {
  const View part = model.view, matrix = part.at("success"), regions = part.at("regions");
  const auto classes = page.class_list(part);
  HeatMap map;
  map.title = page.words("regions.title_figure", {{"model", model.name}, {"eps", part.at("eps").text()}});
  map.x_label = page.words("axis.source");
  map.y_label = page.words("axis.region");
  map.colour_label = page.words("axis.success");
  map.language = page.language();
  for (size_t k = 0; k < classes.size(); ++k) {
    map.columns.push_back(page.with_n(page.class_words(classes[k]), part.at("n_per_class").at(k)));
  }
  for (const auto& region : regions.elements()) map.rows.push_back(region_words(page, region));
  Table table{page.say("regions.table", {{"eps", page.text(part.at("eps"))}}),
              {{page.say("column.region")}, {page.say("column.area")}},
              {}};
  for (const auto& name : classes) table.header.push_back({plain(page.class_words(name))});
  for (size_t row = 0; row < matrix.size(); ++row) {
    page.add_row(map, matrix.at(row), 100, NumberFormat::Points);
    std::vector<Cell> cells{{plain(region_words(page, regions.at(row)))},
                            {page.number(part.at("area").at(row), NumberFormat::Percent)}};
    for (const auto& cell : matrix.at(row).elements()) cells.push_back({page.metric(cell)});
    table.rows.push_back(std::move(cells));
  }
  auto blocks =
      page.figure("regions-" + slug(model.name), plot_heat_map(map), page.words("regions.alt", {{"model", model.name}}),
                  page.say("regions.figure", {{"eps", page.text(part.at("eps"))}}));
  blocks.push_back(table);
  return blocks;
}

std::vector<Block> write(const Page& page) {
  return write_models(page, "regions", map_of);
}

const RegisterTexts texts{
    {"regions.title", {"What matters in the face", "Ce qui compte dans le visage"}},
    {"regions.intro",
     {"The same attack, held to one part of the face at a time. Where it succeeds, that part decides what the "
      "network sees. Large parts give the attack more room: compare with their share of the image.",
      "La même attaque, limitée chaque fois à une partie du visage. Là où elle réussit, cette partie décide de ce "
      "que voit le réseau. Une grande partie lui laisse plus de place : comparez avec sa part de l’image."}},
    {"regions.title_figure",
     {"{model}: success of attacks on one part at eps {eps} (%)",
      "{model} : réussite des attaques sur une partie à eps {eps} (%)"}},
    {"regions.alt",
     {"Heat map of {model}: success of attacks on each part of the face, for each emotion",
      "Carte de chaleur de {model} : réussite des attaques sur chaque partie du visage, par émotion"}},
    {"regions.figure",
     {"Share of the rightly classified images of each emotion that are misclassified when only this part may change, "
      "by at most {eps} per pixel.",
      "Part des images bien classées de chaque émotion qui sont mal classées quand seule cette partie peut changer, "
      "d’au plus {eps} par pixel."}},
    {"regions.table",
     {"Success at eps {eps} on each part of the face, with 95 % intervals.",
      "Réussite à eps {eps} sur chaque partie du visage, avec intervalles à 95 %."}},
    {"region.eyes", {"eyes", "yeux"}},
    {"region.brows", {"brows", "sourcils"}},
    {"region.nose", {"nose", "nez"}},
    {"region.mouth", {"mouth", "bouche"}},
    {"region.cheeks", {"cheeks", "joues"}},
    {"region.forehead", {"forehead", "front"}},
    {"region.chin", {"chin", "menton"}},
    {"region.image", {"whole image", "image entière"}},
    {"axis.region", {"part of the face", "partie du visage"}},
    {"column.region", {"Part", "Partie"}},
    {"column.area", {"Share of the image", "Part de l’image"}},
};

const Register<Section> registered{{"regions", 55, write}};

}  // namespace

}  // namespace fercli::regions_section
