#include "eval/study/report_document.hpp"

#include <map>

#include "core/files.hpp"
#include "core/json_text.hpp"
#include "eval/groups.hpp"
#include "eval/result_shapes.hpp"
#include "eval/sanity.hpp"
#include "eval/study/part.hpp"
#include "record/document_kind.hpp"

namespace fercli {

using nlohmann::json;

namespace {

/// Of each network, a part of a part among what the other holds: either may have been measured alone.
json parts_schema() {
  using namespace shape;
  std::map<std::string, json> parts;
  std::map<std::string, std::map<std::string, json>> inner;
  for (const auto& part : Registry<StudyPart>::instance().all()) {
    const json figures = described(part.work.schema(), part.summary);
    const auto dot = part.name.find('.');
    if (dot != std::string::npos) {
      inner[part.name.substr(0, dot)][part.name.substr(dot + 1)] = figures;
    } else {
      parts[part.name] = part.joint ? figures : map_of(figures);
    }
  }
  for (const auto& [name, members] : inner) {
    json& figures = parts.at(name)["additionalProperties"];
    auto either = json::array({{{"required", std::move(figures["required"])}}});
    figures.erase("required");
    for (const auto& [member, schema] : members) {
      figures["properties"][member] = schema;
      either.push_back({{"required", {member}}});
    }
    figures["anyOf"] = std::move(either);
  }
  const json epoch = open_object({{"epoch", whole()}});
  parts["groups"] = map_of(described(groups_schema(), "accuracy and robust accuracy of groups of images"));
  parts["sanity"] = map_of(list(Shape<SanityFlag>::schema()));
  parts["cost"] = described(map_of(map_of(Shape<Cost>::schema())), "of each part, of each network");
  parts["learning_curves"] = map_of(described(list(epoch), "and every other column of history.csv, as numbers"));
  return open_object({}, {parts.begin(), parts.end()});
}

json outcomes_schema() {
  using namespace shape;
  const json rows = described(list(whole()), "places in `ids`");
  const json attack =
      open_object({{"attack", text()},
                   {"norm", text()},
                   {"eps", list(text())},
                   {"rows", rows},
                   {"broken", described(list(whole()),
                                        "-1: misclassified as it is; else the first eps that breaks the image, or "
                                        "their number")}},
                  {{"settings", open_object({})},
                   {"goal", described(text(), "absent: untargeted")},
                   {"mask", described(text(), "digest; absent: none")},
                   {"surrogate", described(text(), "digest; absent: none")},
                   {"pixel_grid", described(flag(), "absent: true")}});
  const json certified = object(
      {{"sigma", number()}, {"rows", rows}, {"radius", described(list(number()), "null: not certified to be right")}});
  return object({{"ids", list(text())}, {"labels", described(list(whole()), "numbers of classes")}},
                {{"pixels", described(list(text()), "shape and digest of each image")},
                 {"answers", described(list(whole()), "on the images as they are, numbers of classes")},
                 {"attacks", list(attack)},
                 {"certified", list(certified)}});
}

json invariant_schema() {
  using namespace shape;
  auto values = list(share());
  values["minItems"] = values["maxItems"] = 2;
  return object({{"name", described(text(), "\"pgd <= fgsm\"")},
                 {"model", text()},
                 {"norm", text()},
                 {"eps", text()},
                 {"n", described(whole(), "images that both were measured on")},
                 {"values", described(values, "shares of them, the left side first")},
                 {"holds", flag()}},
                {{"note", described(text(), "why a violation need not be a mistake")}});
}

struct ReportMember {
  const char* name;
  bool always;
  json schema;
};

/// What report.json holds, in this order. Reports are also made of results that earlier programs saved.
std::vector<ReportMember> report_members() {
  using namespace shape;
  const json images = open_object({{"name", text()}, {"split", text()}, {"n", whole()}, {"classes", list(text())}},
                                  {{"digest", text()}});
  return {{"schema", true, constant(kReportSchema)},
          {"version", true, text()},
          {"revision", true, text()},
          {"seed", true, whole()},
          {"mode", true, described(one_of({"quick", "full", "saved"}), "saved: made of results that were there")},
          {"dataset", false, described(images, "the images")},
          {"models", true, described(list(open_object({{"name", text()}})), "the networks; `name` is unique")},
          {"warnings", true, list(text())},
          {"invariants", false, described(list(invariant_schema()), "between attacks, and whether they hold")},
          {"options", false, options_schema()},
          {"environment", true, open_object({})},
          {"parts", true, described(parts_schema(), "by name, each of every network; absent: not measured")},
          {"outcomes", true, described(map_of(outcomes_schema()), "of each network: what became of each image")}};
}

json report_schema() {
  shape::Members always, sometimes;
  for (const auto& member : report_members())
    (member.always ? always : sometimes).emplace_back(member.name, member.schema);
  return shape::object(always, sometimes);
}

const Register<DocumentKind> report_document{{"report", "report.json of report, and its --json", report_schema}};

}  // namespace

void write_study(const json& report, const std::filesystem::path& path) {
  nlohmann::ordered_json document;
  for (const auto& member : report_members()) {
    if (report.contains(member.name)) document[member.name] = report.at(member.name);
  }
  write_file(path, pretty_json(document) + "\n");
}

}  // namespace fercli
