#pragma once

#include <fmt/format.h>

#include <string>
#include <vector>

#include "core/registry.hpp"

namespace fercli {

/// The registered format that reads `what`; null where none recognises it. An entry has `recognises` and `priority`: of
/// several that recognise it the highest priority reads. Throws UserError when two of that priority do, which names
/// them and the option that settles it. `wanted`: the name of the format to take instead of asking; "": none.
template <class Entry, class What>
const Entry* claimant(const What& what, const std::string& place, const std::string& wanted,
                      const std::string& option) {
  const auto& registry = Registry<Entry>::instance();
  if (!wanted.empty()) return &registry.get(wanted);
  const Entry* best = nullptr;
  std::vector<std::string> equals;
  for (const auto& entry : registry.all()) {
    if (best != nullptr && entry.priority < best->priority) continue;
    if (!entry.recognises(what)) continue;
    if (best == nullptr || entry.priority > best->priority) equals.clear();
    best = &entry;
    equals.push_back(entry.name);
  }
  if (equals.size() < 2) return best;
  throw UserError(fmt::format("{}: could be any of {}; {} says which", place, join(equals, ", "), option));
}

}  // namespace fercli
