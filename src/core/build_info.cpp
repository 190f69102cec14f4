#include "core/build_info.hpp"

#include <build_info_generated.hpp>

#include <fmt/format.h>
#include <torch/version.h>

#include "core/cpu.hpp"

namespace fercli {

const char* version() {
  return FERCLI_VERSION;
}
const char* git_revision() {
  return FERCLI_REVISION;
}
const char* revision_date() {
  return FERCLI_REVISION_DATE;
}
const char* source_folder() {
  return FERCLI_SOURCE_DIR;
}
const char* build_type() {
  return FERCLI_BUILD_TYPE;
}
const char* compiler() {
  return __VERSION__;
}
const char* libtorch_version() {
  return TORCH_VERSION;
}

std::string version_text() {
  return fmt::format("fercli {} ({})\n{} build, compiler {}, LibTorch {}\n{}\n", version(), git_revision(),
                     build_type(), compiler(), libtorch_version(), cpu_summary());
}

}  // namespace fercli
