#include "models/graph/attributes.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/json_limits.hpp"

namespace fercli {

namespace {

int64_t attribute_as_whole(const GraphNode& node, const std::string& name, const nlohmann::json& value) {
  try {
    return whole_of(value);
  } catch (const nlohmann::json::exception&) {
    const auto found =
        value.is_number() ? fmt::format("{:g}", value.get<double>()) : fmt::format("of the type {}", value.type_name());
    throw UserError(fmt::format("node '{}' ({}): its attribute '{}' is {}, where a whole number is needed", node.name,
                                node.op, name, found));
  }
}

}  // namespace

int64_t whole_attribute(const GraphNode& node, const std::string& name, int64_t otherwise) {
  const auto found = node.attributes.find(name);
  return found == node.attributes.end() ? otherwise : attribute_as_whole(node, name, *found);
}

std::vector<int64_t> whole_attributes(const GraphNode& node, const std::string& name, std::vector<int64_t> otherwise) {
  const auto found = node.attributes.find(name);
  if (found == node.attributes.end()) return otherwise;
  if (!found->is_array()) {
    throw UserError(
        fmt::format("node '{}' ({}): its attribute '{}' is no list of whole numbers", node.name, node.op, name));
  }
  std::vector<int64_t> wholes;
  wholes.reserve(found->size());
  for (const auto& value : *found) wholes.push_back(attribute_as_whole(node, name, value));
  return wholes;
}

}  // namespace fercli
