#pragma once

#include "models/graph/graph.hpp"

namespace fercli {

/// A whole number among a node's attributes; a file may hold one as a real number. Throws UserError that names the node
/// and the attribute where it is none.
int64_t whole_attribute(const GraphNode& node, const std::string& name, int64_t otherwise);

/// The same of a list.
std::vector<int64_t> whole_attributes(const GraphNode& node, const std::string& name, std::vector<int64_t> otherwise);

}  // namespace fercli
