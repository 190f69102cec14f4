#pragma once

#include <nlohmann/json_fwd.hpp>

namespace fercli {

const char* version();        ///< "0.1.0"
const char* git_revision();   ///< "1a2b3c4d5e6f", with "+changes" when the tree was not clean; "unknown" outside git
const char* revision_date();  ///< "2026-11-28", of the revision; "" outside git
const char* source_folder();  ///< where the program was built from; "" in packages

/// What a result must record about where it ran: version, revision, compiler, LibTorch, CPU features, threads.
nlohmann::json environment_json();

}  // namespace fercli
