#pragma once

#include <string>

namespace fercli {

/// The widest vector instructions that oneDNN uses on this machine, by its names: "avx2", "avx512_core_amx", …; the
/// CPU's own unless ONEDNN_MAX_CPU_ISA (or DNNL_MAX_CPU_ISA) holds oneDNN below them. "" where it has no name for them
/// (other CPUs than x86).
const std::string& instruction_set();

/// The same for a CPU with these flags of /proc/cpuinfo (separated by spaces) and this value of ONEDNN_MAX_CPU_ISA (in
/// any case; "" or a word that oneDNN does not know: no limit).
std::string instruction_set_of(const std::string& cpu_flags, const std::string& limit);

/// Do these instructions multiply bfloat16?
bool multiplies_bfloat16(const std::string& instruction_set);

}  // namespace fercli
