// What it took: images through the network, forwards and backwards, and seconds.
#include "report/section.hpp"

namespace fercli::cost_section {

namespace {

std::string part_words(const Page& page, const std::string& part) {
  return is_text(part + ".title") ? page.words(part + ".title") : part;
}

void add_row(Table* table, const Page& page, const std::string& name, const View& cost) {
  table->rows.push_back({{plain(name)},
                         {page.number(cost.at("forward"), NumberFormat::Count)},
                         {page.number(cost.at("backward"), NumberFormat::Count)},
                         {page.number(cost.at("seconds"), NumberFormat::Seconds)}});
}

std::vector<Block> write(const Page& page) {
  const View part = page.part("cost");
  Table table{page.say("cost.table"),
              {{page.say("column.part")},
               {page.say("column.forward")},
               {page.say("column.backward")},
               {page.say("column.seconds")}},
              {}};
  for (const auto& name : part.keys()) {
    const View costs = part.at(name);
    if (costs.at("forward") || costs.at("seconds")) {
      add_row(&table, page, part_words(page, name), costs);
      continue;
    }
    for (const auto& model : costs.keys()) {
      add_row(&table, page, part_words(page, name) + (page.several_models() ? ", " + model : ""), costs.at(model));
    }
  }
  if (table.rows.empty()) return {};
  return {table};
}

const RegisterTexts texts{
    {"cost.title", {"Cost", "Coût"}},
    {"cost.table",
     {"Images through the network, and time on the machine named below.",
      "Images passées dans le réseau, et durée sur la machine nommée plus bas."}},
    {"robustness.l2.title", {"Robust accuracy in L2", "Exactitude robuste en L2"}},
    {"robustness.minimal_eps.title", {"Smallest eps", "Plus petit eps"}},
};

const Register<Section> registered{{"cost", 130, write}};

}  // namespace

}  // namespace fercli::cost_section
