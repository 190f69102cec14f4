#pragma once

#include <torch/types.h>

namespace fercli {

/// Bytes that are kept in memory whatever they are; more lie in a file.
inline constexpr int64_t kMostInMemory = int64_t{1} << 30;

/// Room for so many bytes, uint8 (N), of no particular content. More than `in_memory` lie in a nameless file that is
/// mapped, so that the system keeps in memory what is in use and no more than it can spare; it goes with the tensor.
/// The file is in the folder TMPDIR, else /var/tmp. Throws RunError where the folder has no room for it.
torch::Tensor make_bytes(int64_t count, int64_t in_memory = kMostInMemory);

}  // namespace fercli
