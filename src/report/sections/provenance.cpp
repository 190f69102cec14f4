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
  for (const auto& key : view.keys()) add_rows(table, page, view.at(key), name.empty() ? key : name + "." + key);
}

Table facts(const Page& page, const char* caption, bool folded) {
  return {page.say(caption), {{page.say("column.what")}, {page.say("column.value"), false, true}}, {}, folded};
}

std::vector<Block> write(const Page& page) {
  const View report = page.report();
  Table run = facts(page, "provenance.run", false);
  for (const char* key : {"schema", "mode", "seed"}) {
    if (report.at(key)) add_rows(&run, page, report.at(key), key);
  }
  add_rows(&run, page, report.at("dataset"), "dataset");
  Table models = facts(page, "provenance.models", false);
  for (const auto& model : report.at("models").elements()) add_rows(&models, page, model, model.at("name").text());
  Table options = facts(page, "provenance.options", true), environment = facts(page, "provenance.environment", true);
  if (report.at("options")) add_rows(&options, page, report.at("options"), "");
  if (report.at("environment")) add_rows(&environment, page, report.at("environment"), "");
  std::vector<Block> blocks;
  for (const auto* table : {&run, &models, &options, &environment}) {
    if (!table->rows.empty()) blocks.push_back(*table);
  }
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
