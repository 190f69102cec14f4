// On top of everything: what does not add up, and what the evaluation itself warns of.
#include <algorithm>

#include "report/robust_view.hpp"
#include "report/section.hpp"

namespace fercli::warnings_section {

namespace {

struct Warnings {
  std::vector<Text> contradictions;  ///< between figures that are about the same thing
  std::vector<Text> others;
};

/// "standard: pgd <= fgsm, Linf eps 4/255: 12.0 % / 10.0 % (n = 60)".
Text violation(const Page& page, const View& invariant) {
  Text text = page.text(invariant.at("name"));
  if (invariant.at("model")) text = page.text(invariant.at("model")) + plain(": ") + text;
  if (invariant.at("eps"))
    text = text + plain(", ") + page.text(invariant.at("norm")) + plain(" eps ") + page.text(invariant.at("eps"));
  text = text + plain(": ") + page.values(invariant.at("values"));
  if (invariant.at("n"))
    text = text + plain(" (n = ") + page.number(invariant.at("n"), NumberFormat::Count) + plain(")");
  if (invariant.at("note")) text = text + plain("; ") + page.message(invariant.at("note"));
  return text;
}

/// Figures that not everybody means by robust accuracy.
void add_threats(const Page& page, Warnings& warnings) {
  for (const auto& model : page.model_names()) {
    Text threat = threat_words(page, model);
    if (threat.empty()) continue;
    warnings.others.push_back(page.say("warnings.threat", {{"model", plain(model)}, {"threat", std::move(threat)}}));
  }
}

void add_violations(const Page& page, Warnings& warnings) {
  for (const auto& invariant : page.report().at("invariants").elements()) {
    if (invariant.at("holds").flag()) continue;
    auto& list = invariant.at("note") ? warnings.others : warnings.contradictions;
    list.push_back(violation(page, invariant));
  }
}

void add_flags(const Page& page, Warnings& warnings) {
  for (const auto& [model, flags] : page.models("sanity")) {
    for (const auto& flag : flags.elements()) {
      if (!flag.at("raised").flag()) continue;
      warnings.others.push_back(plain(model + ": ") + page.text(flag.at("flag")) + plain(" – ") +
                                page.message(flag.at("meaning")));
    }
  }
}

/// But for those that say again what a violated invariant or a raised flag says.
void add_others(const Page& page, Warnings& warnings) {
  for (const auto& warning : page.report().at("warnings").elements()) {
    const std::string key = warning.at("key").text(), model = warning.at("model").text();
    if (key == kInvariantViolated || key == kFlagRaised) continue;
    warnings.others.push_back(plain(model.empty() ? "" : model + ": ") + page.message(warning));
  }
}

std::vector<Block> write(const Page& page) {
  Warnings warnings;
  add_threats(page, warnings);
  add_violations(page, warnings);
  add_flags(page, warnings);
  add_others(page, warnings);
  std::vector<Block> blocks;
  if (!warnings.contradictions.empty()) {
    blocks.push_back(Callout{Callout::Kind::Alarm, page.say("warnings.violated"), warnings.contradictions});
  }
  if (!warnings.others.empty()) {
    blocks.push_back(Callout{Callout::Kind::Warning, page.say("warnings.raised"), warnings.others});
  }
  const size_t checked = page.models("sanity").size();
  if (blocks.empty() && (page.report().at("invariants").size() > 0 || checked > 0)) {
    const char* words = checked < page.model_names().size() ? "warnings.unchecked" : "warnings.none";
    blocks.push_back(Callout{Callout::Kind::Good, page.say(words), {}});
  }
  return blocks;
}

const RegisterTexts texts{
    {"warnings.violated",
     {"These results contradict each other: at least one is wrong",
      "Ces résultats se contredisent : l’un d’eux au moins est faux"}},
    {"warnings.raised", {"Read this first", "À lire d’abord"}},
    {"warnings.threat",
     {"{model} was attacked in a way of its own{threat}: its robust accuracy is about such attacks alone.",
      "{model} a été attaqué d’une manière particulière{threat} : son exactitude robuste ne vaut que pour de telles "
      "attaques."}},
    {"warnings.none",
     {"The results agree with each other, and no sanity check gave cause for doubt.",
      "Les résultats concordent, et aucun contrôle n’a éveillé de doute."}},
    {"warnings.unchecked",
     {"Nothing here contradicts itself, but the sanity checks were not run on every model.",
      "Rien ici ne se contredit, mais les contrôles n’ont pas été faits sur chaque modèle."}},
};

const Register<Section> registered{{"warnings", 0, write}};

}  // namespace

}  // namespace fercli::warnings_section
