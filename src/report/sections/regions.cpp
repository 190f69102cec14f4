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

const Register<Section> registered{{"regions", 55, write}};

}  // namespace

}  // namespace fercli::regions_section
