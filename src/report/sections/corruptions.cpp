// Common corruptions: noise, blur, weather and digital damage, none of them made by an adversary.
#include <algorithm>
#include <cmath>

#include "report/section.hpp"

namespace fercli::corruptions_section {

namespace {

std::string kind_words(const Page& page, const View& kind) {
  const std::string key = "corruption." + kind.at("name").text();
  return is_text(key) ? page.words(key) : kind.at("name").text();
}

std::string family_words(const Page& page, const View& kind) {
  const std::string key = "family." + kind.at("family").text();
  return is_text(key) ? page.words(key) : kind.at("family").text();
}

std::vector<Block> map_of_kinds(const Page& page, const ModelView& model) {
  HeatMap map;
  map.title = page.words("corruptions.figure_title",
                         {{"model", model.name}, {"data", page.data_name(model.view.at("clean").at("n"))}});
  map.x_label = page.words("axis.severity");
  map.colour_label = page.words("axis.accuracy_percent");
  map.language = page.language();
  for (const auto& kind : model.view.at("kinds").elements()) {
    map.rows.push_back(kind_words(page, kind));
    page.add_row(map, kind.at("accuracy"), 100, NumberFormat::Points);
    while (map.columns.size() < map.values.back().size()) map.columns.push_back(std::to_string(map.columns.size() + 1));
  }
  if (map.rows.empty()) return {};
  map.high = 0;
  for (const auto& row : map.values) {
    for (const double value : row) map.high = std::max(map.high, std::ceil(value / 10) * 10);
  }
  map.high = std::max(map.high, 10.0);
  return page.figure("corruptions-" + slug(model.name), plot_heat_map(map),
                     page.words("corruptions.alt", {{"model", model.name}}),
                     page.say("corruptions.figure", {{"clean", page.metric(model.view.at("clean"))}}));
}

Table kinds_table(const Page& page, const View& part) {
  std::vector<Text> names;
  std::vector<std::vector<View>> rows;
  size_t severities = 0;
  for (const auto& kind : part.at("kinds").elements()) {
    names.push_back(plain(kind_words(page, kind) + " (" + family_words(page, kind) + ")"));
    rows.push_back(kind.at("accuracy").elements());
    severities = std::max(severities, rows.back().size());
    rows.back().push_back(kind.at("mean"));
  }
  Table table{page.say("corruptions.table"), {{page.say("column.corruption")}}, {}};
  for (size_t s = 1; s <= severities; ++s)
    table.header.push_back({page.say("column.severity", {{"s", plain(std::to_string(s))}})});
  table.header.push_back({page.say("column.mean")});
  const bool shared = page.add_shares(table, names, rows);
  std::vector<Cell> mean{{page.say("column.mean_of_all")}};
  for (const auto& value : part.at("severity_mean").elements()) mean.push_back({page.metric(value)});
  mean.push_back(
      {page.metric(part.at("mean"), NumberFormat::Percent, shared ? Page::Sample::Elsewhere : Page::Sample::Shown)});
  if (shared) mean.push_back({page.number(part.at("mean").at("n"), NumberFormat::Count)});
  if (mean.size() == table.header.size()) table.rows.push_back(std::move(mean));
  return table;
}

std::vector<Block> of_model(const Page& page, const ModelView& model) {
  auto blocks = map_of_kinds(page, model);
  blocks.push_back(kinds_table(page, model.view));
  return blocks;
}

std::vector<Block> write(const Page& page) {
  return write_models(page, "corruptions", of_model);
}

const RegisterTexts texts{
    {"corruptions.title", {"Common corruptions", "Dégradations courantes"}},
    {"corruptions.intro",
     {"Fifteen kinds of damage that nobody intends, in five severities (Hendrycks and Dietterich, ICLR 2019, adapted "
      "to small grey images).",
      "Quinze sortes de dégâts que personne ne veut, en cinq gravités (Hendrycks et Dietterich, ICLR 2019, adaptées "
      "aux petites images grises)."}},
    {"corruptions.figure_title",
     {"{model}: accuracy under corruptions (%), {data}", "{model} : exactitude sous dégradations (%), {data}"}},
    {"corruptions.alt",
     {"Heat map: accuracy of {model} under each corruption and severity",
      "Carte de chaleur : exactitude de {model} sous chaque dégradation et gravité"}},
    {"corruptions.figure",
     {"Accuracy under each corruption; on the same images unaltered: {clean}. Bright is good.",
      "Exactitude sous chaque dégradation ; sur les mêmes images intactes : {clean}. Clair : bon."}},
    {"corruptions.table",
     {"Accuracy under each corruption and severity.", "Exactitude sous chaque dégradation et gravité."}},
    {"axis.severity", {"severity", "gravité"}},
    {"family.noise", {"noise", "bruit"}},
    {"family.blur", {"blur", "flou"}},
    {"family.weather", {"weather", "météo"}},
    {"family.digital", {"digital", "numérique"}},
    {"corruption.gaussian_noise", {"Gaussian noise", "Bruit gaussien"}},
    {"corruption.shot_noise", {"Shot noise", "Bruit de grenaille"}},
    {"corruption.impulse_noise", {"Impulse noise", "Bruit impulsionnel"}},
    {"corruption.defocus_blur", {"Defocus blur", "Défaut de mise au point"}},
    {"corruption.glass_blur", {"Frosted glass", "Verre dépoli"}},
    {"corruption.motion_blur", {"Motion blur", "Flou de bougé"}},
    {"corruption.zoom_blur", {"Zoom blur", "Flou de zoom"}},
    {"corruption.snow", {"Snow", "Neige"}},
    {"corruption.frost", {"Frost", "Givre"}},
    {"corruption.fog", {"Fog", "Brouillard"}},
    {"corruption.brightness", {"Brightness", "Luminosité"}},
    {"corruption.contrast", {"Low contrast", "Faible contraste"}},
    {"corruption.elastic_transform", {"Elastic distortion", "Déformation élastique"}},
    {"corruption.pixelate", {"Pixelation", "Pixellisation"}},
    {"corruption.jpeg_compression", {"JPEG compression", "Compression JPEG"}},
};

const Register<Section> registered{{"corruptions", 90, write}};

}  // namespace

}  // namespace fercli::corruptions_section
