// Whether the evaluation itself can be trusted.
#include "report/section.hpp"

namespace fercli::sanity_section {

namespace {

Table flags_table(const Page& page, const View& flags) {
  Table table{page.say("sanity.table"),
              {{page.say("column.flag"), false, true},
               {page.say("column.raised")},
               {page.say("column.found"), false, true},
               {page.say("column.meaning"), false, true}},
              {}};
  for (const auto& flag : flags.elements()) {
    const bool raised = flag.at("raised").flag();
    const View found = flag.at("found") ? flag.at("found") : flag.at("value");
    table.rows.push_back({{page.text(flag.at("flag"))},
                          {page.say(raised ? "sanity.raised" : "sanity.fine"), raised},
                          {found.json().is_string() ? page.translated(found) : page.text(found), false, true},
                          {page.translated(flag.at("meaning")), false, true}});
  }
  return table;
}

std::vector<Block> invariants(const Page& page) {
  const View list = page.report().at("invariants");
  if (list.size() == 0) return {};
  Table table{page.say("sanity.invariants"),
              {{page.say("column.invariant"), false, true},
               {page.say("column.model")},
               {plain("eps")},
               {page.say("column.values")},
               {plain("n")},
               {page.say("column.holds")}},
              {},
              true};
  for (const auto& invariant : list.elements()) {
    const bool holds = invariant.at("holds").flag();
    table.rows.push_back({{page.text(invariant.at("name"))},
                          {page.text(invariant.at("model"))},
                          {page.text(invariant.at("norm")) + plain(" ") + page.text(invariant.at("eps"))},
                          {page.values(invariant.at("values"))},
                          {page.number(invariant.at("n"), NumberFormat::Count)},
                          {page.say(holds ? "sanity.holds" : "sanity.violated"), !holds}});
    table.folded = table.folded && holds;
  }
  return {Paragraph{page.say("sanity.invariants_intro")}, table};
}

std::vector<Block> write(const Page& page) {
  std::vector<Block> blocks;
  for (const auto& [model, flags] : page.models("sanity")) {
    if (blocks.empty()) blocks.push_back(Paragraph{page.say("sanity.intro")});
    add_model(blocks, page, model, {flags_table(page, flags)});
  }
  add(blocks, invariants(page));
  return blocks;
}

const Register<Section> registered{{"sanity", 120, write}};

}  // namespace

}  // namespace fercli::sanity_section
