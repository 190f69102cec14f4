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
    table.rows.push_back({{page.text(flag.at("flag"))},
                          {page.say(raised ? "sanity.raised" : "sanity.fine"), raised},
                          {page.message(flag.at("found")), false, true},
                          {page.message(flag.at("meaning")), false, true}});
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

const RegisterTexts texts{
    {"sanity.title", {"Can the evaluation be trusted?", "Peut-on se fier à l’évaluation ?"}},
    {"sanity.intro",
     {"Attacks can fail for reasons that have nothing to do with robustness. These checks look for the known ones.",
      "Une attaque peut échouer pour des raisons étrangères à la robustesse. Ces contrôles cherchent celles que l’on "
      "connaît."}},
    {"sanity.table", {"Sanity checks.", "Contrôles."}},
    {"sanity.raised", {"raised", "échoué"}},
    {"sanity.fine", {"fine", "réussi"}},
    {"sanity.invariants_intro",
     {"On the same images, AutoAttack leaves no more than PGD, PGD no more than FGSM, FGSM no more than there was to "
      "begin with, and more eps never helps. What is certified should not exceed what AutoAttack leaves either; but "
      "it is certified of the smoothed model, another classifier, so that this rule can fail without a mistake.",
      "Sur les mêmes images, AutoAttack ne laisse pas plus que PGD, PGD pas plus que FGSM, FGSM pas plus qu’au "
      "départ, et plus d’eps n’aide jamais. Le certifié ne devrait pas non plus dépasser ce que laisse AutoAttack ; "
      "mais il porte sur le modèle lissé, un autre classifieur, si bien que cette règle peut manquer sans erreur."}},
    {"sanity.invariants", {"Invariants.", "Invariants."}},
    {"sanity.holds", {"yes", "oui"}},
    {"sanity.violated", {"NO", "NON"}},
};

const Register<Section> registered{{"sanity", 120, write}};

}  // namespace

}  // namespace fercli::sanity_section
