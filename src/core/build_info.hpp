#pragma once

#include <string>

namespace fercli {

const char* version();           ///< "0.1.0"
const char* git_revision();      ///< "1a2b3c4d5e6f", with "+changes" when the tree was not clean; "unknown" outside git
const char* revision_date();     ///< "2026-11-28", of the revision; "" outside git
const char* source_folder();     ///< where the program was built from; "" in packages
const char* build_type();        ///< "Release"
const char* compiler();          ///< its version: "12.2.0"
const char* libtorch_version();  ///< with which it was built: "1.13.0"

/// What `fercli --version` prints. Needs no LibTorch.
std::string version_text();

}  // namespace fercli
