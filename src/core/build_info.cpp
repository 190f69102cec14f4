#include "core/build_info.hpp"

#include <build_info_generated.hpp>

#include <ATen/Parallel.h>
#include <torch/version.h>

#include <nlohmann/json.hpp>

#include "core/instruction_set.hpp"
#include "core/plug_in.hpp"
#include "core/registry.hpp"
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
  nlohmann::json facts{{"version", version()},
                       {"revision", git_revision()},
                       {"build", FERCLI_BUILD_TYPE},
                       {"compiler", __VERSION__},
                       {"libtorch", TORCH_VERSION},
                       {"cpu", cpu_summary()},
                       {"instruction_set", instruction_set()},
                       {"threads", at::get_num_threads()}};
  for (const auto& plug_in : Registry<PlugIn>::instance().all())
    facts["plug_ins"].push_back({{"file", plug_in.name}, {"sha256", plug_in.digest}});
  return facts;
}

}  // namespace fercli
