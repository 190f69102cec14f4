#include "core/runtime.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <torch/cuda.h>
#include <torch/version.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <limits>
#include <thread>

#include "core/error.hpp"
#include "core/instruction_set.hpp"
#include "core/notice.hpp"
#include "core/team.hpp"
#include "core/text.hpp"

namespace fercli {

bool cpu_has_bfloat16() {
  return multiplies_bfloat16(instruction_set());
}

namespace {

constexpr int64_t kMostThreads = 1024;

/// Tried with a small convolution, since LibTorch does not tell.
bool device_runs_bfloat16(const torch::Device& device) {
  try {
    const torch::NoGradGuard no_grad;
    const auto ones = torch::ones({2, 8, 8, 8}, torch::TensorOptions(torch::kBFloat16).device(device));
    return at::conv2d(ones, ones).to(torch::kCPU).isfinite().all().item<bool>();
  } catch (const c10::Error&) {
    return false;
  }
}

/// Keeps freed activations in the process: glibc otherwise returns every large block to the kernel, and a training step
/// spends a tenth of its time on page faults.
void keep_freed_memory() {
#ifdef __GLIBC__
  constexpr int kLargestThreshold = 32 << 20;  // the most that glibc takes
  mallopt(M_MMAP_THRESHOLD, kLargestThreshold);
  mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
#endif
}

}  // namespace

void prepare_machine(const Runtime& runtime) {
  if (runtime.threads < 0 || runtime.threads > kMostThreads) {
    throw UserError(fmt::format("--threads {}: must be in [0, {}]", runtime.threads, kMostThreads));
  }
  if (runtime.precision == "bf16" && runtime.device == "cpu" && !cpu_has_bfloat16()) {
    warn(fmt::format("--precision bf16: oneDNN uses {} here, which has no bfloat16; it is emulated, slower than fp32",
                     instruction_set().empty() ? "an instruction set" : instruction_set()));
  }
  keep_freed_memory();
  const auto cores = std::max(1u, std::thread::hardware_concurrency());
  at::set_num_threads(runtime.threads > 0 ? static_cast<int>(runtime.threads) : static_cast<int>(cores));
}

Precision resolve_precision(const Runtime& runtime) {
  if (runtime.precision == "fp32") return Precision::Float32;
  if (runtime.precision != "auto" && runtime.precision != "bf16") {
    throw UserError(fmt::format("--precision {}: must be auto, fp32 or bf16", runtime.precision));
  }
  const bool asked = runtime.precision == "bf16";
  if (runtime.device == "cpu") return asked || cpu_has_bfloat16() ? Precision::BFloat16 : Precision::Float32;
  if (device_runs_bfloat16(resolve_device(runtime))) return Precision::BFloat16;
  if (asked) {
    throw UserError(
        fmt::format("--precision bf16: {} cannot run bfloat16 convolutions; use fp32 or auto", runtime.device));
  }
  return Precision::Float32;
}

torch::Device resolve_device(const Runtime& runtime) {
  const bool cuda = runtime.device.compare(0, 4, "cuda") == 0;
  if (runtime.device == "cpu") return torch::Device(torch::kCPU);
  if (!cuda) throw UserError(fmt::format("--device {}: must be cpu, cuda, cuda:N or cuda:auto", runtime.device));
  if (!torch::cuda::is_available()) {
    throw UserError(
        fmt::format("--device {}: this LibTorch ({}) sees no CUDA device; build against a CUDA LibTorch with "
                    "-DCMAKE_PREFIX_PATH, or use --device cpu",
                    runtime.device, TORCH_VERSION));
  }
  const auto count = static_cast<int64_t>(torch::cuda::device_count());
  int64_t number = 0;
  if (runtime.device == "cuda:auto") {
    number = number_on_machine() % std::max<int64_t>(1, count);
  } else if (runtime.device != "cuda") {
    try {
      if (runtime.device[4] != ':') throw std::invalid_argument("no colon");
      number = parse_integer(runtime.device.substr(5));
    } catch (const std::invalid_argument&) {
      throw UserError(fmt::format("--device {}: must be cpu, cuda, cuda:N or cuda:auto", runtime.device));
    }
  }
  if (number < 0 || number >= count) {
    throw UserError(fmt::format("--device {}: there are {} CUDA devices, numbered from 0", runtime.device, count));
  }
  return torch::Device(torch::kCUDA, static_cast<torch::DeviceIndex>(number));
}

const char* to_string(Precision precision) {
  return precision == Precision::Float32 ? "fp32" : "bf16";
}

torch::ScalarType scalar_type(Precision precision) {
  return precision == Precision::Float32 ? torch::kFloat32 : torch::kBFloat16;
}

}  // namespace fercli
