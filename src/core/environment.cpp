#include "core/environment.hpp"

#include <ATen/Parallel.h>

#include <nlohmann/json.hpp>

#include "core/build_info.hpp"
#include "core/cpu.hpp"
#include "core/instruction_set.hpp"
#include "core/plug_in.hpp"
#include "core/registry.hpp"

namespace fercli {

nlohmann::json plug_ins_json() {
  auto plug_ins = nlohmann::json::array();
  for (const auto& plug_in : Registry<PlugIn>::instance().all())
    plug_ins.push_back({{"file", plug_in.name}, {"sha256", plug_in.digest}});
  return plug_ins;
}

nlohmann::json environment_json() {
  nlohmann::json facts{{"version", version()},
                       {"revision", git_revision()},
                       {"build", build_type()},
                       {"compiler", compiler()},
                       {"libtorch", libtorch_version()},
                       {"cpu", cpu_summary()},
                       {"instruction_set", instruction_set()},
                       {"threads", at::get_num_threads()}};
  if (auto plug_ins = plug_ins_json(); !plug_ins.empty()) facts["plug_ins"] = std::move(plug_ins);
  return facts;
}

}  // namespace fercli
