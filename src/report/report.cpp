#include "report/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/error.hpp"
#include "core/files.hpp"
#include "core/text.hpp"
#include "eval/result.hpp"
#include "report/html.hpp"
#include "report/markdown.hpp"
#include "report/section.hpp"

namespace fercli {

namespace {

void check_schema(const nlohmann::json& report) {
  if (!report.is_object() || report.value("schema", nlohmann::json()) != Result::kSchema)
    throw UserError("report: is not a report of fercli");
}

std::string mode_words(const Page& page) {
  const std::string mode = page.report().at("mode").text();
  return is_text("report." + mode) ? page.words("report." + mode) : mode;
}

/// "0.1.0", or of results of several programs "0.1.0 / 0.2.0".
Text of_programs(const Page& page, const char* key) {
  Text all;
  std::set<std::string> said;
  for (const auto& model : page.report().at("models").elements()) {
    const View own = model.at("environment");
    const Text text = page.text((own ? own : page.report().at("environment")).at(key));
    if (said.insert(characters(text)).second) all = all + plain(all.empty() ? "" : " / ") + text;
  }
  return all;
}

/// "3589 images of FER2013 PublicTest, quick run; fercli 0.1.0, revision 1a2b3c …".
Text subtitle(const Page& page) {
  const View& report = page.report();
  return page.say("report.subtitle", {{"n", page.number(report.at("dataset").at("n"), NumberFormat::Count)},
                                      {"data", plain(page.data_name())},
                                      {"mode", plain(mode_words(page))},
                                      {"version", of_programs(page, "version")},
                                      {"revision", of_programs(page, "revision")}});
}

Document write_document(const Page& page, Observer& observer) {
  Document document;
  document.language = page.language();
  document.title = page.words("report.title", {{"models", join(page.model_names(), ", ")}});
  document.subtitle = subtitle(page);
  document.contents_title = page.words("report.contents");
  document.footer = page.words("report.footer");
  auto sections = Registry<Section>::instance().all();
  std::stable_sort(sections.begin(), sections.end(), [](const auto& a, const auto& b) { return a.order < b.order; });
  Followed progress(observer, {static_cast<int64_t>(sections.size()), 0, "sections", "Writing the page"});
  for (const auto& section : sections) {
    auto blocks = section.write(page);
    progress.advance(1);
    if (blocks.empty()) continue;
    const std::string title = section.name + ".title";
    document.sections.push_back({section.name, is_text(title) ? page.words(title) : "", std::move(blocks)});
  }
  return document;
}

}  // namespace

void write_report(const nlohmann::json& report, const RenderOptions& options, const std::filesystem::path& folder,
                  Observer& observer) {
  if (options.language != "en" && options.language != "fr") {
    throw UserError(fmt::format("language '{}': must be en or fr", options.language));
  }
  check_schema(report);
  const Page page(report, options, folder);
  const Document document = write_document(page, observer);
  write_file(folder / "report.html", render_html(document, folder));
  write_file(folder / "report.md", render_markdown(document));
}

}  // namespace fercli
