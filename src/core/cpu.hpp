#pragma once

#include <string>

namespace fercli {

/// "Intel(R) Xeon(R), 2 cores avx2 avx512f avx512_bf16 amx_bf16".
std::string cpu_summary();

}  // namespace fercli
