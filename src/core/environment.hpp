#pragma once

#include <nlohmann/json_fwd.hpp>

namespace fercli {

/// Of each plug-in that is loaded, its file and digest: what code a run ran besides the program's own.
nlohmann::json plug_ins_json();

/// What a result must record about where it ran: version, revision, compiler, LibTorch, CPU features, threads.
nlohmann::json environment_json();

}  // namespace fercli
