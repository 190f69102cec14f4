#pragma once

#include <string>

namespace fercli {

/// The value of one key of /proc/cpuinfo; "" elsewhere than on Linux.
std::string cpuinfo(const std::string& key);

/// "Intel(R) Xeon(R), 2 cores avx2 avx512f avx512_bf16 amx_bf16".
std::string cpu_summary();

}  // namespace fercli
