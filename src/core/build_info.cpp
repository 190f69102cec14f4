#include "core/build_info.hpp"

#include <build_info_generated.hpp>

#include <ATen/Parallel.h>
#include <torch/version.h>

#include <nlohmann/json.hpp>

#include "core/instruction_set.hpp"
#include "core/runtime.hpp"

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

nlohmann::json environment_json() {
  return {{"version", version()},
          {"revision", git_revision()},
          {"build", FERCLI_BUILD_TYPE},
          {"compiler", __VERSION__},
          {"libtorch", TORCH_VERSION},
          {"cpu", cpu_summary()},
          {"instruction_set", instruction_set()},
          {"threads", at::get_num_threads()}};
}

}  // namespace fercli
