#include "report/report.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "core/error.hpp"
#include "core/files.hpp"
#include "core/text.hpp"
#include "data/label_set.hpp"
#include "record/fields.hpp"
#include "record/message.hpp"
#include "report/number_format.hpp"
#include "report/texts.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/report/without_gnuplot.hpp"
#include "tests/user_error.hpp"

namespace fercli {

namespace {

using nlohmann::json;
using test::ScratchFolder;
using test::WithoutGnuplot;
using testing::HasSubstr;
using testing::Not;

json small_report() {
  return json::parse(read_file(std::filesystem::path(FERCLI_TEST_FOLDER) / "report" / "small_report.json"));
}

struct Rendered {
  std::string html, markdown, complaints;
  std::set<std::string> figures;  ///< files
};

/// Without gnuplot: texts and tables only, which is fast.
Rendered render(const json& report, const RenderOptions& options = {}) {
  const ScratchFolder scratch;
  const WithoutGnuplot texts_only;
  testing::internal::CaptureStderr();
  std::exception_ptr failure;
  try {
    write_report(report, options, scratch / "report");
  } catch (...) {
    failure = std::current_exception();
  }
  Rendered rendered;
  rendered.complaints = testing::internal::GetCapturedStderr();
  if (failure) std::rethrow_exception(failure);
  rendered.html = read_file(scratch / "report/report.html");
  rendered.markdown = read_file(scratch / "report/report.md");
  if (std::filesystem::exists(scratch / "report/figures")) {
    for (const auto& file : std::filesystem::directory_iterator(scratch / "report/figures")) {
      rendered.figures.insert(file.path().filename().string());
    }
  }
  return rendered;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (size_t place = text.find(from); place != std::string::npos; place = text.find(from, place + to.size())) {
    text.replace(place, from.size(), to);
  }
  return text;
}

std::string unescaped(std::string text) {
  const std::vector<std::pair<std::string, std::string>> entities{
      {"&lt;", "<"}, {"&gt;", ">"}, {"&quot;", "\""}, {"&#39;", "'"}, {"&amp;", "&"}};
  for (const auto& [entity, letter] : entities) text = replaced(text, entity, letter);
  return text;
}

std::string without_tags(const std::string& html) {
  std::string text;
  bool inside = false;
  for (const char letter : html) {
    if (letter == '<') inside = true;
    if (!inside) text += letter;
    if (letter == '>') inside = false;
  }
  return unescaped(text);
}

/// What stands between `begin` and `end`, each time.
std::vector<std::string> pieces(const std::string& text, const std::string& begin, const std::string& end) {
  std::vector<std::string> found;
  for (size_t place = text.find(begin); place != std::string::npos;) {
    const size_t start = place + begin.size(), stop = text.find(end, start);
    if (stop == std::string::npos) break;
    found.push_back(text.substr(start, stop - start));
    place = text.find(begin, stop + end.size());
  }
  return found;
}

/// One place of the page that shows a value of the JSON.
struct Shown {
  std::string pointer, format, text;
};

std::vector<Shown> shown_values(const std::string& html) {
  std::vector<Shown> values;
  for (const auto& piece : pieces(html, "<span data-json=\"", "</span>")) {
    const size_t quote = piece.find("\" data-format=\""), tag = piece.find("\">", quote);
    values.push_back({unescaped(piece.substr(0, quote)), piece.substr(quote + 15, tag - quote - 15),
                      unescaped(piece.substr(tag + 2))});
  }
  return values;
}

/// The number at the beginning of "12,3 %" or "28 709".
double read_number(const std::string& text, const std::string& language) {
  const std::string plain = replaced(text, "\u202f", "");
  return std::stod(language == "fr" ? replaced(plain, ",", ".") : plain);
}

void expect_shows(const Shown& shown, const json& report, const std::string& language) {
  SCOPED_TRACE(shown.pointer + " shown as " + shown.text);
  const json::json_pointer pointer(shown.pointer);
  const json value = report.contains(pointer) ? report.at(pointer) : json();
  if (value.is_null()) {
    EXPECT_EQ(shown.text, "–");
    return;
  }
  static const std::map<std::string, std::pair<double, double>> scales{
      // factor, half a unit of the last digit
      {"percent", {100, 0.05}}, {"points", {100, 0.05}},  {"count", {1, 0}},      {"fixed", {1, 0.0005}},
      {"grey", {255, 0.005}},   {"levels", {255, 0.005}}, {"seconds", {1, 0.05}}, {"decibels", {1, 0.05}}};
  if (const auto scale = scales.find(shown.format); scale != scales.end()) {
    const auto [factor, tolerance] = scale->second;
    EXPECT_NEAR(read_number(shown.text, language), factor * value.get<double>(), tolerance * (1 + 1e-9));
  } else if (shown.format == "short") {
    EXPECT_NEAR(read_number(shown.text, language), value.get<double>(), 5e-4 * std::abs(value.get<double>()));
  } else if (shown.format == "class") {
    EXPECT_EQ(shown.text, display_name(value, language));
  } else if (shown.format == "sentence") {
    EXPECT_EQ(shown.text, words_of(Shape<Message>::read(value), language));
  } else {
    EXPECT_EQ(shown.format, "text");
    EXPECT_EQ(shown.text, value.is_string() ? value.get<std::string>() : value.dump());
  }
}

using Rows = std::vector<std::vector<std::string>>;

Rows rows_of_html(const std::string& html) {
  Rows rows;
  for (const auto& table : pieces(html, "<table>", "</table>")) {
    for (const auto& row : pieces(table, "<tr>", "</tr>")) {
      std::vector<std::string> cells;
      static const std::regex cell("<t[hd][^>]*>(.*?)</t[hd]>");
      for (std::sregex_iterator found(row.begin(), row.end(), cell), end; found != end; ++found) {
        cells.push_back(trim(without_tags((*found)[1])));
      }
      rows.push_back(cells);
    }
  }
  return rows;
}

/// Without the tables of pictures.
Rows rows_of_markdown(const std::string& markdown) {
  Rows rows;
  bool pictures = false;
  for (const auto& line : split(markdown, '\n')) {
    if (line.empty()) pictures = false;
    if (line.compare(0, 4, "| ![") == 0) pictures = true;
    if (line.empty() || line[0] != '|' || pictures || line.find("---") != std::string::npos) continue;
    std::string text = replaced(line, "**", "");
    for (const char* letter : {"|", "<", ">", "*", "`", "_", "[", "]", "&", "~", "@", "#", ":", ".", "\\"}) {
      text = replaced(text, std::string("\\") + letter, letter[0] == '|' ? "\x01" : letter);
    }
    std::vector<std::string> cells;
    for (const auto& cell : split(text.substr(1, text.size() - 2), '|')) cells.push_back(replaced(cell, "\x01", "|"));
    rows.push_back(cells);
  }
  return rows;
}

class ReportLanguages : public testing::TestWithParam<std::string> {};

TEST_P(ReportLanguages, EveryNumberIsTheOneInTheJson) {
  const json report = small_report();
  const auto values = shown_values(render(report, {GetParam(), true}).html);
  EXPECT_GT(values.size(), 700u);
  for (const auto& value : values) expect_shows(value, report, GetParam());
}

TEST_P(ReportLanguages, CellsHaveNoNumbersButThoseOfTheJson) {
  const std::string html = render(small_report(), {GetParam(), true}).html;
  static const std::regex marked("<span data-json=[^>]*>[^<]*</span>");
  for (const auto& cell : pieces(html, "<td", "</td>")) {
    const std::string rest = without_tags("<td" + std::regex_replace(cell, marked, ""));
    EXPECT_EQ(rest.find_first_of("0123456789"), std::string::npos) << cell;
  }
}

TEST_P(ReportLanguages, MarkdownHasTheSameTables) {
  const auto rendered = render(small_report(), {GetParam()});
  const auto rows = rows_of_html(rendered.html);
  EXPECT_GT(rows.size(), 100u);
  EXPECT_EQ(rows_of_markdown(rendered.markdown), rows);
}

TEST_P(ReportLanguages, NothingIsLoadedFromElsewhere) {
  const std::string html = render(small_report(), {GetParam(), true}).html;
  for (const auto& source : pieces(html, "src=\"", "\"")) EXPECT_EQ(source.substr(0, 5), "data:");
  for (const auto& address : pieces(html, "href=\"", "\"")) EXPECT_EQ(address.substr(0, 1), "#");
  for (const char* word : {"http:", "https:", "<script", "<link", "@import", "url(", "<iframe", "srcset"}) {
    EXPECT_EQ(html.find(word), std::string::npos) << word;
  }
}

TEST_P(ReportLanguages, EveryLinkLeadsToOnePlaceOfThePage) {
  const std::string html = render(small_report(), {GetParam(), true}).html;
  const auto links = pieces(html, "href=\"#", "\"");
  EXPECT_THAT(links, testing::Contains("contents"));
  for (const auto& link : links) EXPECT_EQ(pieces(html, fmt::format(" id=\"{}\"", link), ">").size(), 1u) << link;
}

TEST(Report, NoLineEndsBeforeASignThatFrenchSetsApart) {
  const std::string html = render(small_report(), {"fr", true}).html;
  EXPECT_THAT(html, HasSubstr("intervalle à 95\u202f%"));
  EXPECT_THAT(html, Not(HasSubstr("95 %")));
  EXPECT_THAT(html, HasSubstr("\u202f; n = "));
}

/// What the page says itself: without its style sheet, its pictures, and the texts that it shows as the JSON has them.
std::string own_words(std::string html) {
  for (const auto& [begin, end] : std::vector<std::pair<std::string, std::string>>{
           {"<style>", "</style>"}, {"src=\"data:", "\""}, {"data-format=\"text\">", "</span>"}}) {
    for (size_t place = html.find(begin); place != std::string::npos; place = html.find(begin, place)) {
      html.erase(place, html.find(end, place + begin.size()) - place);
    }
  }
  return html;
}

TEST(Report, InFrenchHasNoEnglish) {
  json report = small_report();
  for (const auto& [key, wording] : message_wordings()) {
    const std::vector<std::string> values(places_in(wording.english).size(), "1.5");
    const json message = Shape<Message>::write({key, values, wording.english});
    report["parts"]["sanity"]["standard"].push_back(
        {{"flag", key}, {"raised", true}, {"found", message}, {"meaning", message}});
    report["warnings"].push_back(message);
  }
  static const std::regex english(
      "\\b(the|of|is|are|was|be|and|with|at|which|no|not|by|for|each|from|than|in|to|it|that)\\b");
  std::string words = own_words(render(report, {"fr", true}).html);
  EXPECT_GT(words.size(), 50000u);
  for (const auto& key : text_keys()) words += text_template(key, "fr") + "\n";
  words = replaced(words, "Journal of Research in Personality", "");
  for (std::sregex_iterator word(words.begin(), words.end(), english), end; word != end; ++word) {
    ADD_FAILURE() << words.substr(std::max<int64_t>(0, word->position() - 60), 120);
  }
}

INSTANTIATE_TEST_SUITE_P(Both, ReportLanguages, testing::Values("en", "fr"),
                         [](const auto& info) { return info.param; });

TEST(Report, FiguresComeAsPngAndSvgAndAreInThePage) {
  const ScratchFolder scratch;
  write_report(small_report(), {}, scratch.path());
  const std::string html = read_file(scratch / "report.html"), markdown = read_file(scratch / "report.md");
  size_t figures = 0;
  for (const auto& image : pieces(markdown, "](figures/", ")")) {
    if (image.compare(0, 8, "gallery-") == 0) continue;
    ++figures;
    EXPECT_GT(std::filesystem::file_size(scratch / ("figures/" + image)), 5000u) << image;
    EXPECT_THAT(read_file(scratch / ("figures/" + replaced(image, ".png", ".svg"))), HasSubstr("<svg")) << image;
  }
  EXPECT_GE(figures, 23u) << "some are not drawn";
  EXPECT_EQ(pieces(html, "<img class=\"wide\"", ">").size(), figures);
  for (const auto& image : pieces(html, "<img", ">")) EXPECT_THAT(image, Not(HasSubstr("alt=\"\"")));
  const json success = small_report()["parts"]["vulnerability"]["standard"]["success"];
  const std::string map = read_file(scratch / "figures/vulnerability-standard.svg");
  EXPECT_THAT(map, HasSubstr(fmt::format("{:.1f}", 100 * success[0][1]["value"].get<double>())));
}

TEST(Report, ModelsWithoutCurvesAreNotComparedInAFigure) {
  json report = small_report(), robustness = report["parts"]["robustness"];
  robustness["robust"] = {{"minimal_eps", robustness["standard"]["minimal_eps"]}};
  report["parts"] = {{"robustness", robustness}};
  const ScratchFolder scratch;
  testing::internal::CaptureStderr();
  write_report(report, {}, scratch.path());
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_FALSE(std::filesystem::exists(scratch / "figures/models-robust-accuracy.png"));
}

TEST(Report, ContradictionsAndWarningsStandAboveTheVerdict) {
  const std::string html = render(small_report()).html;
  const size_t contradiction = html.find("autoattack &lt;= pgd"), warning = html.find("zero-gradients"),
               other = html.find("the data set has no Training images"), verdict = html.find("is fragile");
  EXPECT_LT(contradiction, warning);
  EXPECT_LT(warning, other);
  EXPECT_LT(other, verdict);
  EXPECT_NE(verdict, std::string::npos);
  EXPECT_EQ(html.find("does not hold at"), std::string::npos) << "said once";
  EXPECT_EQ(pieces(html, "standard: <span data-json=\"/parts/sanity/standard/1/flag\"", ">").size(), 1u);
  EXPECT_THAT(html, Not(HasSubstr("/warnings/1"))) << "said once";
  EXPECT_THAT(without_tags(html), HasSubstr("robust: careful"));
}

TEST(Report, AWarningThatIsNoMessageIsRefusedByItsPlace) {
  json report = small_report();
  report["warnings"] = {"careful"};
  EXPECT_THAT(test::message_of([&] { render(report); }), HasSubstr("/warnings/0 is \"careful\", not an object"));
}

TEST(Report, SaysThatNothingIsWrongOnlyWhenThatWasChecked) {
  json report = small_report();
  report["warnings"] = json::array();
  report["invariants"].erase(1);
  report["parts"]["sanity"]["standard"].erase(1);
  EXPECT_THAT(render(report).html, HasSubstr("the sanity checks were not run on every model"));
  report["parts"]["sanity"]["robust"] = report["parts"]["sanity"]["standard"];
  EXPECT_THAT(render(report).html,
              testing::AllOf(HasSubstr("callout good"), HasSubstr("no sanity check gave cause for doubt")));
  report["invariants"] = json::array();
  report["parts"].erase("sanity");
  EXPECT_THAT(render(report).html, Not(HasSubstr("callout good")));
}

TEST(Report, VerdictsFollowTheFigures) {
  const std::string html = without_tags(render(small_report()).html);
  EXPECT_THAT(html, HasSubstr("standard is fragile: changes of 4/255 (Linf) are enough to fool it"));
  EXPECT_THAT(html, HasSubstr("robust is partly robust against changes of 4/255 (Linf)"));
  EXPECT_THAT(html, HasSubstr("A program that always gives the most frequent answer would be right on 41.7\u00a0%"));
}

/// The small report, in which the first network was attacked under a threat of its own.
json report_of_a_threat() {
  json report = small_report();
  report["outcomes"]["standard"]["attacks"] = {{{"goal", "any-to-sad"},
                                                {"mask", "0123456789abcdef"},
                                                {"surrogate", "aaaaaaaaaaaa+bbbbbbbbbbbb:logits:eot 20 camera 0"},
                                                {"pixel_grid", false}}};
  return report;
}

TEST(Report, SaysWhatSetsTheAttacksApartAboveAllAndInCaptions) {
  const std::string threat =
      " (goal any-to-sad, only pixels of mask 01234567, made on other networks, aaaaaaaa+bbbbbbbb:logits, along the "
      "mean of draws, 20 camera, images not rounded to 8 bits)";
  const std::string html = without_tags(render(report_of_a_threat()).html);
  const size_t warning = html.find("standard was attacked in a way of its own" + threat);
  EXPECT_LT(warning, html.find("standard recognises"));
  for (const char* caption : {"Robust accuracy at each eps", "Robust accuracy of each emotion, all attacks together"})
    EXPECT_THAT(html, HasSubstr(caption + threat + "."));
  EXPECT_THAT(html, HasSubstr("all attacks together: fgsm, pgd" + threat));
  EXPECT_THAT(html, HasSubstr("AutoAttack" + threat + " leaves"));
  EXPECT_THAT(html, Not(HasSubstr("is fragile"))) << "no verdict on a threat that is not everybody's";
  EXPECT_THAT(html, Not(HasSubstr("robust was attacked in a way of its own")));
  const std::string french = without_tags(render(report_of_a_threat(), {"fr"}).html);
  EXPECT_THAT(french, HasSubstr("(but any-to-sad, seuls les pixels du masque 01234567"));
}

TEST(Report, FiguresOfOtherNormsOrEpsHaveRowsOfTheirOwn) {
  json report = small_report();
  json& of_robust = report["parts"]["robustness"]["robust"];
  of_robust["norm"] = "L2";
  of_robust["eps"] = {"0.25", "0.5"};
  EXPECT_THAT(render(small_report()).complaints, HasSubstr("models-robust-accuracy.png"));
  const auto rendered = render(report);
  EXPECT_THAT(rendered.complaints, Not(HasSubstr("models-robust-accuracy.png"))) << "curves of two norms on one axis";
  const std::string named = " all attacks together: fgsm, pgd";
  Rows found;
  for (const auto& row : rows_of_html(rendered.html)) {
    if (!row.empty() && row[0].find(named) != std::string::npos) found.push_back(row);
  }
  ASSERT_EQ(found.size(), 2u);
  EXPECT_THAT(found[0], testing::ElementsAre("Robust accuracy at 4/255 (Linf)," + named, HasSubstr("9.2"), "–"));
  EXPECT_THAT(found[1], testing::ElementsAre("Robust accuracy at 0.25 (L2)," + named, "–", HasSubstr("60.8")));
  const std::string words = without_tags(rendered.html);
  EXPECT_THAT(words, HasSubstr("When every pixel may change by at most 4/255,"));
  EXPECT_THAT(words, HasSubstr("When all changes together may measure at most 0.25 in L2,"));
  of_robust["norm"] = "L0";
  EXPECT_THAT(without_tags(render(report).html), HasSubstr("When at most 0.25 values of an image"));
}

TEST(Report, AGroupOfWhichFewerImagesWereAttackedSaysHowMany) {
  json report = small_report();
  report["parts"]["groups"]["standard"]["columns"][0]["groups"][0]["robust"][0]["accuracy"]["n"] = 40;
  const auto rows = rows_of_html(render(report).html);
  EXPECT_THAT(rows, testing::Contains(testing::ElementsAre("no", "100", Not(HasSubstr("n = ")), HasSubstr("n = 40"))));
}

TEST(Report, AShareOfNoImagesHasNeitherValueNorInterval) {
  json report = small_report();
  report["parts"]["clean"]["standard"]["per_class"][0]["recall"] = {
      {"value", nullptr}, {"interval", {0.0, 1.0}}, {"n", 0}};
  const std::string markdown = render(report).markdown;
  EXPECT_THAT(markdown, HasSubstr("– (n = 0)"));
  EXPECT_THAT(markdown, Not(HasSubstr("– (0.0")));
}

TEST(Report, MissingPartsLeaveTheirSectionsOut) {
  const json whole = small_report();
  const std::string complete = render(whole).html;
  const auto has = [](const std::string& html, const std::string& section) {
    return html.find(fmt::format("<section id=\"{}\">", section)) != std::string::npos;
  };
  for (const auto& [part, unused] : whole["parts"].items()) {
    json report = whole;
    report["parts"].erase(part);
    EXPECT_TRUE(has(complete, part)) << part;
    const std::string html = render(report).html;
    EXPECT_EQ(has(html, part), part == "sanity") << part << "; the invariants remain in sanity";
    EXPECT_FALSE(has(html, "per_class") && part == "robustness");
  }
}

TEST(Report, ShowsTheRunOfEachModelWhereTheyDiffer) {
  json report = small_report();
  for (json& model : report["models"]) {
    const bool first = model["name"] == "standard";
    model["seed"] = first ? 3 : 4;
    model["options"]["eps"] = {{"value", first ? "2/255" : "6/255"}, {"source", "command line"}};
    model["environment"] = {{"version", first ? "0.3.0" : "0.4.0"}, {"revision", "abc"}};
  }
  const std::string html = render(report).html, words = without_tags(html);
  EXPECT_THAT(words, HasSubstr("fercli 0.3.0 / 0.4.0, revision abc."));
  for (const char* caption :
       {"Options of the run, standard", "Options of the run, robust", "Machine and libraries, robust"})
    EXPECT_THAT(words, HasSubstr(caption));
  const auto rows = rows_of_html(html);
  for (const Rows::value_type& row :
       Rows{{"standard.seed", "3"}, {"robust.seed", "4"}, {"eps", "2/255"}, {"eps", "6/255"}})
    EXPECT_THAT(rows, testing::Contains(row));
  EXPECT_THAT(rows, Not(testing::Contains(Rows::value_type{"seed", "0"})));
}

TEST(Report, OfNothingHasItsProvenance) {
  json report = small_report();
  report["parts"] = json::object();
  for (const char* key : {"invariants", "warnings", "options", "environment"}) report.erase(key);
  const auto rendered = render(report);
  EXPECT_THAT(rendered.html, HasSubstr("<section id=\"provenance\">"));
  EXPECT_EQ(rendered.complaints, "");
}

TEST(Report, MarksHappyToSad) {
  const std::string html = render(small_report()).html;
  size_t marked = 0, of_happy_to_sad = 0;
  for (const auto& cell : pieces(html, "<td class=\"marked\">", "</td>")) {
    marked += cell.find("/vulnerability/") != std::string::npos;
    of_happy_to_sad +=
        cell.find("/success/0/1/") != std::string::npos || cell.find("/median_minimal_eps/0/1\"") != std::string::npos;
  }
  EXPECT_EQ(marked, 4u) << "two maps of two models";
  EXPECT_EQ(of_happy_to_sad, 4u);
}

TEST(Report, ShowsPicturesOfTheUserOnlyWhenAskedTo) {
  const auto without = render(small_report()), with = render(small_report(), {"en", true});
  EXPECT_EQ(without.figures.count("gallery-standard-1-original.png"), 1u);
  EXPECT_EQ(without.figures.count("gallery-standard-2-original.png"), 0u);
  EXPECT_EQ(with.figures.count("gallery-standard-2-original.png"), 1u);
}

TEST(Report, NetworksWhoseNamesDifferInSignsAloneHavePicturesOfTheirOwn) {
  json report = small_report();
  const json gallery = report["parts"]["gallery"]["standard"];
  report["models"][0]["name"] = "Net 1";
  report["models"][1]["name"] = "Net_1";
  report["parts"] = {{"gallery", {{"Net 1", gallery}, {"Net_1", gallery}}}};
  const auto rendered = render(report);
  for (const char* picture : {"gallery-net-1-1-original.png", "gallery-net-1-1-original-2.png"}) {
    EXPECT_EQ(rendered.figures.count(picture), 1u) << picture;
    EXPECT_THAT(rendered.markdown, HasSubstr(picture));
  }
}

TEST(Report, NamesFromOutsideAreNoMarkup) {
  json report = small_report();
  report["warnings"] = {{{"text", "<b>bold</b> & \"quoted\" | *starred*"}}};
  const auto rendered = render(report);
  EXPECT_THAT(rendered.html, HasSubstr("&lt;b&gt;bold&lt;/b&gt; &amp; &quot;quoted&quot;"));
  EXPECT_THAT(rendered.html, HasSubstr("drawn &lt;faces&gt;"));
  EXPECT_THAT(rendered.markdown, HasSubstr("\\<b\\>bold\\</b\\> \\& \"quoted\" \\| \\*starred\\*"));
}

TEST(Report, WithoutGnuplotSaysSoAndKeepsTheTables) {
  const auto rendered = render(small_report());
  EXPECT_THAT(rendered.complaints, HasSubstr("confusion-standard.png is not drawn: gnuplot is not installed"));
  EXPECT_THAT(rendered.html, Not(HasSubstr("class=\"wide\"")));
  EXPECT_THAT(rendered.html, HasSubstr("The confusion matrix as numbers of images"));
}

TEST(Report, OtherDocumentsAreRefused) {
  const auto complaint = [](const json& report, const RenderOptions& options = {}) {
    return test::message_of([&] { render(report, options); });
  };
  EXPECT_THAT(complaint(json::array()), HasSubstr("is not a report of fercli"));
  EXPECT_THAT(complaint({{"schema", {{"name", "fercli-result"}}}}), HasSubstr("is not a report of fercli"));
  json report = small_report();
  EXPECT_THAT(complaint(report, {"de"}), HasSubstr("language 'de': must be en or fr"));
  report["parts"]["clean"]["standard"]["metrics"]["accuracy"]["value"] = "high";
  EXPECT_THAT(complaint(report), HasSubstr("/parts/clean/standard/metrics/accuracy/value is \"high\", not a number"));
  report = small_report();
  report["parts"]["gallery"]["standard"][0]["original"] = "%%%";
  EXPECT_THAT(complaint(report), HasSubstr("/parts/gallery/standard/0/original is not an image in base64"));
}

TEST(Report, MapsWithoutACellForEachRowAndColumnAreRefused) {
  const auto complaint = [](const json& report) { return test::message_of([&] { render(report); }); };
  for (const char* place :
       {"/clean/standard/confusion_matrix/1", "/vulnerability/standard/success/1", "/vulnerability/standard/success",
        "/vulnerability/standard/median_minimal_eps/1", "/regions/standard/success/1", "/regions/standard/regions",
        "/transfer/success/1", "/corruptions/standard/kinds/1/accuracy"}) {
    json report = small_report();
    json& cells = report["parts"].at(json::json_pointer(place));
    cells.erase(cells.size() - 1);
    EXPECT_THAT(complaint(report), HasSubstr("does not have one cell for each of")) << place;
  }
  json report = small_report();
  report["parts"]["clean"]["standard"]["confusion_matrix"].push_back({1, 2, 3});
  EXPECT_EQ(complaint(report), "report: /parts/clean/standard/confusion_matrix has 4 rows, but there are 3 classes");
}

TEST(Report, ARegionThatHasNoWordsKeepsItsName) {
  json report = small_report();
  report["parts"]["regions"]["standard"]["regions"][0] = "left ear";
  EXPECT_THAT(render(report).markdown, HasSubstr("left ear"));
}

TEST(ReportNumbers, AreWrittenForReaders) {
  const std::vector<std::tuple<double, NumberFormat, const char*, const char*>> cases{
      {0.7234, NumberFormat::Percent, "72.3\u00a0%", "72,3\u202f%"},
      {0.7234, NumberFormat::Points, "72.3", "72,3"},
      {3589, NumberFormat::Count, "3589", "3589"},
      {1234567, NumberFormat::Count, "1\u202f234\u202f567", "1\u202f234\u202f567"},
      {0.12345, NumberFormat::Fixed, "0.123", "0,123"},
      {0.25, NumberFormat::Short, "0.25", "0,25"},
      {8 / 255.0, NumberFormat::Grey, "8/255", "8/255"},
      {3.5 / 255, NumberFormat::Levels, "3.5", "3,5"},
      {0.01, NumberFormat::Grey, "2.55/255", "2,55/255"},
      {12.34, NumberFormat::Seconds, "12.3\u00a0s", "12,3\u00a0s"},
      {-0.00001, NumberFormat::Fixed, "0.000", "0,000"},
      {NAN, NumberFormat::Percent, "–", "–"}};
  for (const auto& [value, format, english, french] : cases) {
    EXPECT_EQ(format_number(value, format, "en"), english);
    EXPECT_EQ(format_number(value, format, "fr"), french);
  }
}

}  // namespace

}  // namespace fercli
