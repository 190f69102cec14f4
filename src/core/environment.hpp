#pragma once

#include <nlohmann/json_fwd.hpp>

namespace fercli {

/// What a result must record about where it ran: version, revision, compiler, LibTorch, CPU features, threads.
nlohmann::json environment_json();

}  // namespace fercli
