#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/files.hpp"
#include "core/json_text.hpp"
#include "core/text.hpp"
#include "draw/emotion_look.hpp"
#include "report/html.hpp"
#include "report/markdown.hpp"
#include "report/page.hpp"
#include "report/session.hpp"

namespace fercli {

namespace {

constexpr size_t kMostPeople = 12;  ///< people in one figure

constexpr const char* kNoLabel = "uncertain";

std::string colour_code(const std::string& emotion) {
  const Ink ink = emotion == kNoLabel ? kUncertainInk : colour_of(emotion);
  return fmt::format("#{:02x}{:02x}{:02x}", ink.red, ink.green, ink.blue);
}

Text label_name_of(const Page& page, const View& label) {
  return label.text() == kNoLabel ? page.say("session.uncertain") : page.class_name(label);
}

std::vector<std::pair<std::string, std::string>> kinds_of(const Page& page) {
  std::vector<std::pair<std::string, std::string>> kinds;
  for (const auto& name : page.report().at("classes").elements()) {
    kinds.emplace_back(characters(label_name_of(page, name)), colour_code(name.text()));
  }
  return kinds;
}

size_t kind_of_class(const Page& page, const std::string& emotion) {
  const auto classes = page.report().at("classes").elements();
  const auto found = std::find_if(classes.begin(), classes.end(), [&](const View& c) { return c.text() == emotion; });
  return static_cast<size_t>(found - classes.begin());
}

std::vector<View> people_of(const Page& page, const std::string& video) {
  std::vector<View> people;
  for (const auto& person : page.report().at("people").elements()) {
    if (person.at("video").text() == video) people.push_back(person);
  }
  return people;
}

/// Those in sight longest, in the order of their numbers.
std::vector<View> shown_of(std::vector<View> people) {
  if (people.size() > kMostPeople) people.resize(kMostPeople);
  std::sort(people.begin(), people.end(),
            [](const View& a, const View& b) { return a.at("number").number() < b.at("number").number(); });
  return people;
}

std::string number_name(const View& person) {
  return fmt::format("#{:.0f}", person.at("number").number());
}

std::string file_name_of_video(const std::string& video) {
  return std::filesystem::path(video).filename().string();
}

SectionContent timeline_section(const Page& page) {
  SectionContent section{"timeline", page.words("session.timeline"), {}};
  size_t number = 0, shown = 0;
  for (const auto& video : page.report().at("videos").elements()) {
    StretchPlot plot;
    plot.title = page.words("session.timeline_of", {{"file", file_name_of_video(video.text())}});
    plot.x_label = page.words("session.seconds_axis");
    plot.kinds = kinds_of(page);
    plot.language = page.language();
    plot.to = 0;
    for (const auto& person : shown_of(people_of(page, video.text()))) {
      for (const auto& stretch : person.at("stretches").elements()) {
        plot.stretches.push_back({plot.rows.size(), kind_of_class(page, stretch.at("emotion").text()),
                                  stretch.at("from").number(), stretch.at("to").number()});
        plot.to = std::max(plot.to, stretch.at("to").number());
      }
      plot.rows.push_back(number_name(person));
    }
    if (plot.rows.empty()) continue;
    plot.from = plot.stretches.front().from;
    for (const auto& stretch : plot.stretches) plot.from = std::min(plot.from, stretch.from);
    shown += plot.rows.size();
    const auto blocks = page.figure(fmt::format("timeline-{}", ++number), plot_stretches(plot),
                                    page.words("session.timeline_alt"), plain(plot.title));
    section.blocks.insert(section.blocks.end(), blocks.begin(), blocks.end());
  }
  const auto people = page.report().at("people").size();
  if (shown < people) {
    section.blocks.push_back(Paragraph{page.say(
        "session.left_out", {{"shown", plain(std::to_string(shown))}, {"people", plain(std::to_string(people))}})});
  }
  section.blocks.push_back(Paragraph{page.say("session.numbers")});
  return section;
}

std::vector<Cell> shares_row(const Page& page, const Text& name, const View& one) {
  std::vector<Cell> row{{name}};
  for (const auto& emotion : page.report().at("classes").elements()) {
    const View share = one.at("shares").at(emotion.text());
    row.push_back({share ? page.number(share.at("share"), NumberFormat::Points) : plain("–")});
  }
  row.push_back({page.number(one.at("seconds"), NumberFormat::Seconds)});
  row.push_back({page.number(one.at("frames"), NumberFormat::Count)});
  return row;
}

SectionContent shares_section(const Page& page) {
  SectionContent section{"shares", page.words("session.shares"), {}};
  StretchPlot plot;
  plot.title = page.words("session.shares_figure");
  plot.x_label = page.words("session.share_axis");
  plot.kinds = kinds_of(page);
  plot.language = page.language();
  plot.to = 100;
  const auto add = [&](const std::string& name, const View& one) {
    double from = 0;
    for (const auto& emotion : page.report().at("classes").elements()) {
      const View share = one.at("shares").at(emotion.text());
      if (!share) continue;
      const double to = from + 100 * share.at("share").number();
      plot.stretches.push_back({plot.rows.size(), kind_of_class(page, emotion.text()), from, to});
      from = to;
    }
    plot.rows.push_back(name);
  };
  Table table{page.say("session.shares_table"), {{page.say("session.person")}}, {}};
  for (const auto& emotion : page.report().at("classes").elements())
    table.header.push_back({label_name_of(page, emotion)});
  table.header.push_back({page.say("session.in_sight")});
  table.header.push_back({page.say("session.n")});
  const auto people = page.report().at("people").elements();
  for (size_t i = 0; i < people.size(); ++i) {
    if (i < kMostPeople) add(people[i].at("name").text(), people[i]);
    table.rows.push_back(shares_row(page, page.text(people[i].at("name")), people[i]));
  }
  const View everybody = page.report().at("everybody");
  add(page.words("session.everybody"), everybody);
  table.rows.push_back(shares_row(page, page.say("session.everybody"), everybody));
  section.blocks = page.figure("shares", plot_stretches(plot), page.words("session.shares_table"), plain(plot.title));
  section.blocks.push_back(table);
  return section;
}

SectionContent transitions_section(const Page& page) {
  SectionContent section{"transitions", page.words("session.transitions"), {}};
  const View transitions = page.report().at("transitions");
  if (transitions.at("n").number() == 0) {
    section.blocks.push_back(Paragraph{page.say("session.transitions_none")});
    return section;
  }
  HeatMap map;
  map.title = page.words("session.transitions_figure",
                         {{"n", format_number(transitions.at("n").number(), NumberFormat::Count, page.language())}});
  map.x_label = page.words("session.to");
  map.y_label = page.words("session.from");
  map.colour_label = page.words("session.count");
  map.language = page.language();
  map.high = 1;
  Table table{plain(map.title), {{plain(map.y_label + " \\ " + map.x_label)}}, {}, true};
  std::vector<View> classes;
  for (const auto& name : page.report().at("classes").elements()) {
    if (name.text() != kNoLabel) classes.push_back(name);
  }
  for (const auto& from : classes) {
    map.rows.push_back(page.class_words(from.text()));
    map.columns.push_back(map.rows.back());
    table.header.push_back({page.class_name(from)});
    map.values.emplace_back();
    map.words.emplace_back();
    table.rows.push_back({{page.class_name(from)}});
    for (const auto& to : classes) {
      const View count = transitions.at("counts").at(from.text()).at(to.text());
      const double value = count ? count.number() : 0;
      map.values.back().push_back(value);
      map.words.back().push_back(count ? fmt::format("{:.0f}", value) : "");
      map.high = std::max(map.high, value);
      table.rows.back().push_back({count ? page.number(count, NumberFormat::Count) : plain("–")});
    }
  }
  section.blocks = page.figure("transitions", plot_heat_map(map), map.title, plain(map.title));
  section.blocks.push_back(table);
  section.blocks.push_back(Paragraph{page.say(
      "session.transitions_note", {{"gap", page.number(transitions.at("longest_gap"), NumberFormat::Seconds)}})});
  return section;
}

SectionContent people_section(const Page& page) {
  SectionContent section{"people", page.words("session.people"), {}};
  Table table{page.say("session.people_table"), {}, {}};
  for (const char* key :
       {"person", "first", "last", "in_sight", "mostly", "confidence", "changes", "valence", "arousal", "pose"}) {
    table.header.push_back({page.say(std::string("session.") + key)});
  }
  for (const auto& person : page.report().at("people").elements()) {
    const View pose = person.at("pose"), derived = person.at("derived");
    const auto angle = [&](const char* name) { return page.number(pose.at(name), NumberFormat::Short); };
    table.rows.push_back({{page.text(person.at("name"))},
                          {page.number(person.at("first"), NumberFormat::Seconds)},
                          {page.number(person.at("last"), NumberFormat::Seconds)},
                          {page.number(person.at("seconds"), NumberFormat::Seconds)},
                          {label_name_of(page, person.at("mostly"))},
                          {page.number(person.at("mean_confidence"), NumberFormat::Percent)},
                          {page.number(person.at("changes_per_minute"), NumberFormat::Short)},
                          {page.number(derived.at("valence"), NumberFormat::Fixed)},
                          {page.number(derived.at("arousal"), NumberFormat::Fixed)},
                          {angle("roll") + plain(" / ") + angle("yaw") + plain(" / ") + angle("pitch")}});
  }
  section.blocks = {table, Paragraph{page.say("session.people_note")}};
  return section;
}

std::string names_of_videos(const Page& page) {
  const auto videos = page.report().at("videos").elements();
  std::vector<std::string> names;
  for (const auto& video : videos) names.push_back(file_name_of_video(video.text()));
  if (names.size() <= 3) return join(names, ", ");
  return fmt::format("{}, … ({})", join({names[0], names[1]}, ", "), names.size());
}

Document session_document(const Page& page) {
  const View session = page.report();
  Document document;
  document.language = page.language();
  document.title = page.words("session.title", {{"files", names_of_videos(page)}});
  document.subtitle =
      page.say("session.subtitle", {{"seconds", page.number(session.at("seconds"), NumberFormat::Seconds)},
                                    {"frames", page.number(session.at("frames"), NumberFormat::Count)},
                                    {"with_faces", page.number(session.at("frames_with_faces"), NumberFormat::Count)},
                                    {"people", plain(std::to_string(session.at("people").size()))},
                                    {"version", page.text(session.at("version"))},
                                    {"revision", page.text(session.at("revision"))}});
  document.contents_title = page.words("report.contents");
  document.footer = page.words("report.footer");
  document.sections = {{"labels", "", {Paragraph{page.say("session." + session.at("labels").text())}}},
                       timeline_section(page),
                       shares_section(page),
                       transitions_section(page),
                       people_section(page)};
  return document;
}

}  // namespace

void write_session_report(const nlohmann::json& session, const RenderOptions& options,
                          const std::filesystem::path& folder) {
  const Page page(session, options, folder);
  const Document document = session_document(page);
  write_file(folder / "report.html", render_html(document, folder));
  write_file(folder / "report.md", render_markdown(document));
  write_file(folder / "report.json", pretty_json(session) + "\n");
}

}  // namespace fercli
