#include "core/instruction_set.hpp"

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "core/cpu.hpp"
#include "core/text.hpp"

#if FERCLI_USES_ONEDNN
#include <oneapi/dnnl/dnnl.h>
#endif

namespace fercli {

namespace {

/// oneDNN's names, each wider than the ones before, and the flag by which a CPU has it.
struct InstructionSet {
  const char *name, *flag;
};

const std::vector<InstructionSet>& instruction_sets() {
  static const std::vector<InstructionSet> sets{{"sse41", "sse4_1"},
                                                {"avx", "avx"},
                                                {"avx2", "avx2"},
                                                {"avx2_vnni", "avx_vnni"},
                                                {"avx2_vnni_2", "avx_ne_convert"},
                                                {"avx512_core", "avx512bw"},
                                                {"avx512_core_vnni", "avx512_vnni"},
                                                {"avx512_core_bf16", "avx512_bf16"},
                                                {"avx512_core_fp16", "avx512_fp16"},
                                                {"avx512_core_amx", "amx_bf16"},
                                                {"avx512_core_amx_fp16", "amx_fp16"}};
  return sets;
}

constexpr const char* kFirstWithBfloat16 = "avx512_core_bf16";

/// The place of a name in the list; its length for a name that is not there.
size_t place_of(const std::string& name) {
  const auto& sets = instruction_sets();
  const auto found = std::find_if(sets.begin(), sets.end(), [&](const auto& set) { return name == set.name; });
  return static_cast<size_t>(found - sets.begin());
}

/// How many sets of the list a limit leaves.
size_t limit_of(const std::string& word) {
  const std::string limit = to_lower(word);
  // Xeon Phi's own: other CPUs are left with AVX2.
  if (limit.compare(0, 10, "avx512_mic") == 0) return place_of("avx2") + 1;
  return std::min(place_of(limit) + 1, instruction_sets().size());
}

std::string limit_set_by_user() {
  for (const char* variable : {"ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"}) {
    if (const char* value = std::getenv(variable)) return value;
  }
  return "";
}

std::string find_instruction_set() {
  std::string widest = instruction_set_of(cpuinfo("flags"), limit_set_by_user());
#if FERCLI_USES_ONEDNN
  // What oneDNN itself says can only be less: it may have been denied the matrix unit, or built without.
  const unsigned effective = dnnl_get_effective_cpu_isa();
  const std::pair<const char*, unsigned> known[] = {{"avx512_core_amx", dnnl_cpu_isa_avx512_core_amx},
                                                    {"avx512_core_bf16", dnnl_cpu_isa_avx512_core_bf16},
                                                    {"avx512_core_vnni", dnnl_cpu_isa_avx512_core_vnni},
                                                    {"avx512_core", dnnl_cpu_isa_avx512_core},
                                                    {"avx2", dnnl_cpu_isa_avx2},
                                                    {"avx", dnnl_cpu_isa_avx},
                                                    {"sse41", dnnl_cpu_isa_sse41}};
  for (const auto& [name, bits] : known) {
    if ((effective & bits) != bits) {
      const size_t place = place_of(name);
      if (place_of(widest) >= place && place_of(widest) < instruction_sets().size()) {
        widest = place == 0 ? "" : instruction_sets()[place - 1].name;
      }
    }
  }
#endif
  return widest;
}

}  // namespace

std::string instruction_set_of(const std::string& cpu_flags, const std::string& limit) {
  const std::string flags = " " + cpu_flags + " ";
  for (size_t place = limit_of(limit); place > 0; --place) {
    const auto& set = instruction_sets()[place - 1];
    if (flags.find(std::string(" ") + set.flag + " ") != std::string::npos) return set.name;
  }
  return "";
}

bool multiplies_bfloat16(const std::string& instruction_set) {
  const size_t place = place_of(instruction_set);
  return place >= place_of(kFirstWithBfloat16) && place < instruction_sets().size();
}

const std::string& instruction_set() {
  static const std::string widest = find_instruction_set();
  return widest;
}

}  // namespace fercli
