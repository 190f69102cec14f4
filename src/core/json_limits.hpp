#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace fercli {

inline constexpr int kDeepestJson = 256;

/// Whether recursive readers of this JSON would run out of stack: nested more than kDeepestJson deep.
bool is_nested_too_deeply(const std::string& text);

/// A whole number in JSON, also one that is written with a point ("2.0"). Throws JSON's exceptions where it is another
/// value, has a fraction, or is more than the type (int64_t, uint64_t) holds: JSON's own conversion would be undefined.
template <class Whole = int64_t>
Whole whole_of(const nlohmann::json& json);

/// The same for each of a list.
std::vector<int64_t> wholes_of(const nlohmann::json& list);

}  // namespace fercli
