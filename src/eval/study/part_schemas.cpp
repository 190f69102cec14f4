#include "eval/study/part_schemas.hpp"

#include <map>

#include "eval/groups.hpp"
#include "eval/result_shapes.hpp"
#include "eval/sanity.hpp"
#include "eval/study/part.hpp"

namespace fercli {

using nlohmann::json;

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
  parts["groups"] =
      map_of(described(Shape<GroupComparison>::schema(), "accuracy and robust accuracy of groups of images"));
  parts["sanity"] = map_of(list(Shape<SanityFlag>::schema()));
  parts["cost"] = described(map_of(map_of(Shape<Cost>::schema())), "of each part, of each network");
  parts["learning_curves"] = map_of(described(list(epoch), "and every other column of history.csv, as numbers"));
  return open_object({}, {parts.begin(), parts.end()});
}

}  // namespace fercli
