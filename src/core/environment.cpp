#include "core/environment.hpp"

#include <ATen/Parallel.h>

#include "core/build_info.hpp"
#include "core/cpu.hpp"
#include "core/instruction_set.hpp"
#include "core/plug_in.hpp"
#include "core/registry.hpp"

namespace fercli {

std::vector<LoadedPlugIn> loaded_plug_ins() {
  std::vector<LoadedPlugIn> loaded;
  for (const auto& plug_in : Registry<PlugIn>::instance().all()) loaded.push_back({plug_in.name, plug_in.digest});
  return loaded;
}

Environment this_environment() {
  return {version(),     git_revision(),    build_type(),          compiler(),       libtorch_version(),
          cpu_summary(), instruction_set(), at::get_num_threads(), loaded_plug_ins()};
}

}  // namespace fercli
