#pragma once

#include <torch/types.h>

#include <string>

namespace fercli {

/// Arithmetic of convolutions. Losses, gradients that leave the network, and reported decisions are float32 always.
enum class Precision { Float32, BFloat16 };

/// The options of every command that runs a network.
struct Runtime {
  int64_t threads = 0;             ///< 0: all cores
  std::string precision = "auto";  ///< auto | fp32 | bf16
  std::string device = "cpu";      ///< cpu | cuda | cuda:N
  uint64_t seed = 0;
};

/// True when oneDNN has bfloat16 instructions to use (AVX512-BF16 or AMX): the CPU's, unless ONEDNN_MAX_CPU_ISA holds
/// it below them. Without, bfloat16 is emulated, at a multiple of the time that float32 takes.
bool cpu_has_bfloat16();

/// Sets LibTorch's thread count (Debian's starts with one) and the allocator's thresholds. Call once, before the first
/// tensor work. Warns where bfloat16 is asked for and would be emulated. Throws UserError on an impossible number of
/// threads.
void prepare_machine(const Runtime& runtime);

/// auto: bfloat16 where the hardware has it (a CUDA device: where a trial runs), else float32. Throws UserError on an
/// unknown word, and where bfloat16 is asked for on a CUDA device that cannot run it.
Precision resolve_precision(const Runtime& runtime);

/// Throws UserError when CUDA is asked for and this LibTorch or machine has none.
torch::Device resolve_device(const Runtime& runtime);

const char* to_string(Precision precision);  ///< "fp32" | "bf16"
torch::ScalarType scalar_type(Precision precision);

}  // namespace fercli
