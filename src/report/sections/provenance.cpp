// What is needed to repeat it.
#include "report/section.hpp"

namespace fercli::provenance_section {

namespace {

/// One row for each value below `view`, named by the keys that lead to it; options say where they come from.
void add_rows(Table* table, const Page& page, const View& view, const std::string& name) {
  if (view.json().is_primitive()) {
    if (view.json() == "") return;  // an option that was not used
    table->rows.push_back({{plain(name)}, {page.text(view), false, true}});
    return;
  }
  if (view.json().is_array()) {
    Text text;
    for (const auto& element : view.elements()) {
      if (!element.json().is_primitive()) return;
      text = text + plain(text.empty() ? "" : ", ") + page.text(element);
    }
    if (!text.empty()) table->rows.push_back({{plain(name)}, {text, false, true}});
    return;
  }
  if (view.at("value") && view.at("source")) {
    add_rows(table, page, view.at("value"), name);
    return;
  }
  const std::string prefix = name.empty() ? "" : name + ".";
  for (const auto& key : view.keys()) add_rows(table, page, view.at(key), fmt::format("{}{}", prefix, key));
}

Table facts(const Page& page, const char* caption, bool folded) {
  return {page.say(caption), {{page.say("column.what")}, {page.say("column.value"), false, true}}, {}, folded};
}

void add_table(std::vector<Block>& blocks, Table table) {
  if (!table.rows.empty()) blocks.push_back(std::move(table));
}

/// A folded table of the report's options or environment, or one for each model: joined results may differ.
void add_folded(std::vector<Block>& blocks, const Page& page, const std::string& key) {
  const auto add = [&](const Text& of, const View& view) {
    Table table = facts(page, ("provenance." + key).c_str(), true);
    table.caption = table.caption + of;
    if (view) add_rows(&table, page, view, "");
    add_table(blocks, std::move(table));
  };
  const auto models = page.report().at("models").elements();
  if (models.empty() || !models.front().at(key)) return add({}, page.report().at(key));
  for (const auto& model : models) add(plain(", ") + page.text(model.at("name")), model.at(key));
}

std::vector<Block> write(const Page& page) {
  const View& report = page.report();
  const auto of_models = report.at("models").elements();
  Table run = facts(page, "provenance.run", false), models = facts(page, "provenance.models", false);
  for (const char* key : {"schema", "mode", "seed"}) {
    const bool differs = !of_models.empty() && of_models.front().at(key);
    if (report.at(key) && !differs) add_rows(&run, page, report.at(key), key);
  }
  add_rows(&run, page, report.at("dataset"), "dataset");
  for (const auto& model : of_models) {
    for (const auto& key : model.keys()) {
      if (key != "options" && key != "environment")
        add_rows(&models, page, model.at(key), model.at("name").text() + "." + key);
    }
  }
  std::vector<Block> blocks;
  add_table(blocks, std::move(run));
  add_table(blocks, std::move(models));
  add_folded(blocks, page, "options");
  add_folded(blocks, page, "environment");
  return blocks;
}

const RegisterTexts texts{
    {"provenance.title", {"Provenance", "Provenance"}},
    {"provenance.run", {"This run and its images.", "Cet essai et ses images."}},
    {"provenance.models", {"The models.", "Les modèles."}},
    {"provenance.options", {"Options of the run", "Options de l’essai"}},
    {"provenance.environment", {"Machine and libraries", "Machine et bibliothèques"}},
};

const Register<Section> registered{{"provenance", 150, write}};

}  // namespace

}  // namespace fercli::provenance_section
