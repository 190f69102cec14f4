// On top of everything: what does not add up, and what the evaluation itself warns of.
#include <algorithm>

#include "report/section.hpp"

namespace fercli::warnings_section {

namespace {

struct Warnings {
  std::vector<Text> contradictions;  ///< between figures that are about the same thing
  std::vector<Text> others;
  std::vector<std::string> said;  ///< how lines of the report's own list begin that say the same
};

/// "standard: pgd <= fgsm, eps 4/255: 12.0 % / 10.0 % (n = 60)".
Text violation(const Page& page, const View& invariant) {
  Text text = page.text(invariant.at("name"));
  if (invariant.at("model")) text = page.text(invariant.at("model")) + plain(": ") + text;
  if (invariant.at("eps")) text = text + plain(", eps ") + page.text(invariant.at("eps"));
  text = text + plain(": ") + page.values(invariant.at("values"));
  if (invariant.at("n"))
    text = text + plain(" (n = ") + page.number(invariant.at("n"), NumberFormat::Count) + plain(")");
  if (invariant.at("note")) text = text + plain("; ") + page.translated(invariant.at("note"));
  return text;
}

void add_violations(const Page& page, Warnings& warnings) {
  for (const auto& invariant : page.report().at("invariants").elements()) {
    if (invariant.at("holds").flag()) continue;
    auto& list = invariant.at("note") ? warnings.others : warnings.contradictions;
    list.push_back(violation(page, invariant));
    warnings.said.push_back(invariant.at("model").text() + ": " + invariant.at("name").text() + " does not hold");
  }
}

void add_flags(const Page& page, Warnings& warnings) {
  for (const auto& [model, flags] : page.models("sanity")) {
    for (const auto& flag : flags.elements()) {
      if (!flag.at("raised").flag()) continue;
      warnings.others.push_back(plain(model + ": ") + page.text(flag.at("flag")) + plain(" – ") +
                                page.translated(flag.at("meaning")));
      warnings.said.push_back(model + ": " + flag.at("flag").text() + ": ");
    }
  }
}

void add_lines(const Page& page, Warnings& warnings) {
  for (const auto& line : page.report().at("warnings").elements()) {
    const std::string words = line.text();
    const bool known = std::any_of(warnings.said.begin(), warnings.said.end(), [&](const std::string& beginning) {
      return words.compare(0, beginning.size(), beginning) == 0;
    });
    if (!known) warnings.others.push_back(page.translated(line));
  }
}

std::vector<Block> write(const Page& page) {
  Warnings warnings;
  add_violations(page, warnings);
  add_flags(page, warnings);
  add_lines(page, warnings);
  std::vector<Block> blocks;
  if (!warnings.contradictions.empty()) {
    blocks.push_back(Callout{Callout::Kind::Alarm, page.say("warnings.violated"), warnings.contradictions});
  }
  if (!warnings.others.empty()) {
    blocks.push_back(Callout{Callout::Kind::Warning, page.say("warnings.raised"), warnings.others});
  }
  const bool checked = page.report().at("invariants").size() > 0 || !page.models("sanity").empty();
  if (blocks.empty() && checked) blocks.push_back(Callout{Callout::Kind::Good, page.say("warnings.none"), {}});
  return blocks;
}

const RegisterTexts texts{
    {"warnings.violated",
     {"These results contradict each other: at least one is wrong",
      "Ces résultats se contredisent : l’un d’eux au moins est faux"}},
    {"warnings.raised", {"Read this first", "À lire d’abord"}},
    {"warnings.none",
     {"The results agree with each other, and no sanity check gave cause for doubt.",
      "Les résultats concordent, et aucun contrôle n’a éveillé de doute."}},
};

const Register<Section> registered{{"warnings", 0, write}};

}  // namespace

}  // namespace fercli::warnings_section
