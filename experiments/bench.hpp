// What the benchmark programs share.
#pragma once

#include <cstdlib>
#include <functional>

#include "core/clock.hpp"
#include "core/progress.hpp"
#include "core/runtime.hpp"
#include "core/text.hpp"

namespace fercli {

inline double number_from_environment(const char* name, double otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? parse_number(text) : otherwise;
}

inline int64_t integer_from_environment(const char* name, int64_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? parse_integer(text) : otherwise;
}

/// FERCLI_BENCH_THREADS (default: all cores) and FERCLI_BENCH_PRECISION (auto, fp32 or bf16), made the machine's.
inline Runtime bench_runtime() {
  show_notices();
  silence_progress(true);
  Runtime runtime;
  runtime.threads = integer_from_environment("FERCLI_BENCH_THREADS", 0);
  if (const char* precision = std::getenv("FERCLI_BENCH_PRECISION")) runtime.precision = precision;
  prepare_machine(runtime);
  return runtime;
}

inline double seconds_of(const std::function<void()>& work) {
  const auto start = Clock::now();
  work();
  return seconds_since(start);
}

}  // namespace fercli
