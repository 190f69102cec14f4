#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "data/pictures/decoders.hpp"

namespace fercli::test {

/// One border of the program over which bytes of strangers come.
struct FuzzTarget {
  std::string name;

  /// Reads the bytes as this format; `folder` is for a file. A refusal in the program's own words (UserError,
  /// RequestError) is a good end; any other exception leaves, which is a finding.
  std::function<void(const std::string& bytes, const std::filesystem::path& folder)> run;

  /// Small sound inputs to begin with.
  std::function<std::vector<std::string>(const std::filesystem::path& folder)> seeds;
};

/// All of this program: the plain ones alone in the small one.
const std::vector<FuzzTarget>& fuzz_targets();

/// Those that need no network.
std::vector<FuzzTarget> plain_targets();

/// Writes the bytes to `path` and has `read` read it; a UserError is a good end. False when there was one.
bool as_file(const std::string& bytes, const std::filesystem::path& path,
             const std::function<void(const std::filesystem::path&)>& read);

/// For decoders: beyond, more pixels cost time and show nothing new.
DecodeLimits small_pictures();

/// Throws std::invalid_argument that lists the names.
const FuzzTarget& fuzz_target(const std::string& name);

}  // namespace fercli::test
