// On top of everything: what does not add up, and what the evaluation itself warns of.
#include "report/section.hpp"

namespace fercli {

namespace {

Text where(const Page& page, const View& invariant) {
  Text text = page.text(invariant.at("name"));
  if (invariant.at("model")) text = text + plain(", ") + page.text(invariant.at("model"));
  if (invariant.at("eps")) text = text + plain(", eps ") + page.text(invariant.at("eps"));
  return text;
}

Text violation(const Page& page, const View& invariant) {
  Text values;
  for (const auto& value : invariant.at("values").elements()) {
    values = values + plain(values.empty() ? ": " : ", ") + page.metric(value, NumberFormat::Percent);
  }
  return where(page, invariant) + values;
}

std::vector<Text> violations(const Page& page) {
  std::vector<Text> lines;
  for (const auto& invariant : page.report().at("invariants").elements()) {
    if (!invariant.at("holds").flag()) lines.push_back(violation(page, invariant));
  }
  return lines;
}

std::vector<Text> raised_flags(const Page& page) {
  std::vector<Text> lines;
  for (const auto& [model, flags] : page.models("sanity")) {
    for (const auto& flag : flags.elements()) {
      if (!flag.at("raised").flag()) continue;
      lines.push_back(plain(model + ": ") + page.text(flag.at("flag")) + plain(" – ") +
                      page.translated(flag.at("meaning")));
    }
  }
  return lines;
}

std::vector<Block> write(const Page& page) {
  std::vector<Block> blocks;
  const auto violated = violations(page);
  if (!violated.empty()) {
    blocks.push_back(Callout{Callout::Kind::Alarm, page.say("warnings.violated"), violated});
  }
  auto lines = raised_flags(page);
  for (const auto& warning : page.report().at("warnings").elements()) lines.push_back(page.text(warning));
  if (!lines.empty()) blocks.push_back(Callout{Callout::Kind::Warning, page.say("warnings.raised"), lines});
  const bool checked = page.report().at("invariants").size() > 0 || !page.models("sanity").empty();
  if (blocks.empty() && checked) {
    blocks.push_back(Callout{Callout::Kind::Good, page.say("warnings.none"), {}});
  }
  return blocks;
}

const Register<Section> registered{{"warnings", 0, write}};

}  // namespace

}  // namespace fercli
