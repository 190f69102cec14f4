#include "report/page.hpp"

#include <fmt/format.h>

#include <set>

#include "core/error.hpp"
#include "core/file_name.hpp"
#include "core/files.hpp"
#include "core/interrupt.hpp"
#include "core/text.hpp"
#include "data/label_set.hpp"

namespace fercli {

namespace {

constexpr const char* kFigures = "figures";

Text small(Text text) {
  for (auto& span : text) span.style = Span::Style::Small;
  return text;
}

View number_view(const View& metric) {
  return metric.json().is_object() ? metric.at("value") : metric;
}

/// Can a table of these rows have a column "n"?
bool share_n(const std::vector<std::vector<View>>& rows) {
  for (const auto& row : rows) {
    std::set<double> sizes;
    for (const auto& view : row) {
      if (!view) continue;
      if (!view.json().is_object() || !view.at("n")) return false;
      sizes.insert(view.at("n").number());
    }
    if (sizes.size() != 1) return false;
  }
  return true;
}

}  // namespace

Page::Page(const nlohmann::json& report, RenderOptions options, std::filesystem::path folder)
    : report_(report), options_(std::move(options)), folder_(std::move(folder)) {}

std::vector<std::string> Page::model_names() const {
  std::vector<std::string> names;
  for (const auto& model : report_.at("models").elements()) names.push_back(model.at("name").text());
  return names;
}

std::vector<ModelView> Page::models(const std::string& part) const {
  std::vector<ModelView> models;
  for (const auto& name : model_names()) {
    if (const View view = this->part(part).at(name)) models.push_back({name, view});
  }
  return models;
}

std::string Page::words(const std::string& key, const Words& values) const {
  return words_of(key, language(), values);
}

Text Page::say(const std::string& key, const Phrases& values) const {
  return phrase_of(key, language(), values);
}

Text Page::number(const View& view, NumberFormat format) const {
  return {
      Span{format_number(view.number(), format, language()), Span::Style::Plain, view.pointer(), to_string(format)}};
}

Text Page::text(const View& view) const {
  const bool scalar = view && view.json().is_primitive();
  const std::string words = !scalar ? "–" : view.json().is_string() ? view.text() : view.json().dump();
  return {Span{words, Span::Style::Plain, view.pointer(), "text"}};
}

Text Page::message(const View& view) const {
  Message message{view.at("key").text(), {}, view.at("text").text()};
  for (const auto& value : view.at("values").elements()) message.values.push_back(value.text());
  return {Span{words_of(message, language()), Span::Style::Plain, view.pointer(), "sentence"}};
}

std::vector<std::string> Page::class_list(const View& part) const {
  const View own = part.at("classes");
  std::vector<std::string> names;
  for (const auto& name : (own ? own : report_.at("dataset").at("classes")).elements()) names.push_back(name.text());
  return names;
}

PlotCurve Page::reliability_curve(const View& bins, const std::string& name) const {
  PlotCurve curve{name, {}};
  for (const auto& bin : bins.elements()) {
    if (bin.at("confidence")) curve.points.push_back(curve_point(bin.at("confidence").number(), bin.at("accuracy"), 1));
  }
  return curve;
}

std::string Page::class_words(const std::string& name) const {
  return display_name(name, language());
}

Text Page::class_name(const View& view) const {
  return {Span{class_words(view.text()), Span::Style::Plain, view.pointer(), "class"}};
}

Text Page::metric(const View& view, NumberFormat format, Sample n) const {
  Text text = number(number_view(view), format);
  if (!view || !view.json().is_object()) return text;
  const View interval = view.at("interval");
  const bool with_n = n == Sample::Shown && view.at("n");
  const bool of_none = view.at("n") && view.at("n").number() == 0;
  // An end may be infinite, which is null.
  const bool has_interval = !of_none && interval && (interval.at(0) || interval.at(1));
  if (!has_interval && !with_n) return text;
  text = text + plain(" ") + small(plain("("));
  if (has_interval) {
    const NumberFormat bare = format == NumberFormat::Percent ? NumberFormat::Points : format;
    text = text + small(number(interval.at(0), bare) + plain("–") + number(interval.at(1), bare));
  }
  const char* between = !has_interval ? "" : language() == "fr" ? "\u202f; " : "; ";
  if (with_n) text = text + small(plain(between) + plain("n = ") + number(view.at("n"), NumberFormat::Count));
  return text + small(plain(")"));
}

Text Page::values(const View& list) const {
  Text text;
  for (const auto& value : list.elements()) text = text + plain(text.empty() ? "" : " / ") + metric(value);
  return text;
}

bool Page::add_shares(Table& table, const std::vector<Text>& names, const std::vector<std::vector<View>>& rows) const {
  const bool shared = share_n(rows);
  if (shared) table.header.push_back({plain("n")});
  for (size_t i = 0; i < rows.size(); ++i) {
    std::vector<Cell> cells{{names.at(i)}};
    View n;
    for (const auto& view : rows[i]) {
      cells.push_back({metric(view, NumberFormat::Percent, shared ? Sample::Elsewhere : Sample::Shown)});
      if (shared && !n) n = view.at("n");
    }
    if (shared) cells.push_back({number(n, NumberFormat::Count)});
    table.rows.push_back(std::move(cells));
  }
  return shared;
}

void Page::add_row(HeatMap& map, const View& row, double scale, NumberFormat format) const {
  map.values.emplace_back();
  map.words.emplace_back();
  for (const auto& cell : row.elements()) {
    map.values.back().push_back(scale * value_of(cell));
    map.words.back().push_back(cell ? format_number(value_of(cell), format, language()) : "");
  }
}

std::filesystem::path Page::place_of(const std::string& name) const {
  drawn_.push_back(unused_name(name, drawn_));
  return std::filesystem::path(kFigures) / drawn_.back();
}

std::vector<Block> Page::figure(const std::string& name, const FigureScript& script, const std::string& alt,
                                const Text& caption) const {
  const auto stem = place_of(name);
  for (const char* extension : {".png", ".svg"}) {
    const bool drawn = draw_figure(script.script, script.size, folder_ / (stem.string() + extension));
    throw_if_interrupted();  // a signal to all processes ends gnuplot too, and a page without the figure is not whole
    if (!drawn) return {};
  }
  return {Figure{stem, alt, caption}};
}

Card::Picture Page::picture(const std::string& name, const std::string& png, const std::string& alt,
                            const Text& caption) const {
  const auto file = place_of(name).concat(".png");
  write_file(folder_ / file, png);
  return {file, png, alt, caption};
}

std::string Page::data_name() const {
  const View data = report_.at("dataset");
  const std::string name = data.at("name").text();  // of a folder, its last part
  return trim(name.substr(name.find_last_of('/') + 1) + " " + data.at("split").text());
}

std::string Page::data_name(const View& n) const {
  return n ? fmt::format("{}, n = {}", data_name(), format_number(n.number(), NumberFormat::Count, language()))
           : data_name();
}

std::string Page::with_n(const std::string& name, const View& n) const {
  return n ? fmt::format("{} (n = {})", name, format_number(n.number(), NumberFormat::Count, language())) : name;
}

std::string slug(const std::string& name) {
  std::string result;
  for (const char letter : to_lower(name)) {
    const bool kept = (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9');
    if (kept) result += letter;
    if (!kept && !result.empty() && result.back() != '-') result += '-';
  }
  while (!result.empty() && result.back() == '-') result.pop_back();
  return result.empty() ? "x" : result;
}

double value_of(const View& metric) {
  return number_view(metric).number();
}

CurvePoint curve_point(double x, const View& metric, double scale) {
  CurvePoint point{x, scale * value_of(metric)};
  if (metric.json().is_object() && metric.at("interval")) {
    point.low = scale * metric.at("interval").at(0).number();
    point.high = scale * metric.at("interval").at(1).number();
  }
  return point;
}

double eps_value(const View& eps) {
  if (!eps.json().is_string()) return eps.number();
  try {
    return parse_number(eps.text());
  } catch (const std::invalid_argument&) {
    throw UserError(fmt::format("report: {} is '{}', not an eps", eps.pointer(), eps.text()));
  }
}

}  // namespace fercli
