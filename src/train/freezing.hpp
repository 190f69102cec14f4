#pragma once

#include <cstdint>

#include "models/networks/architecture.hpp"

namespace fercli {

/// Keeps the first `count` layers (convolutions and dense layers, in the order of `fercli summary`) as they are: no
/// gradients, and BatchNorm with the statistics it has. Call it after each switch to training mode. Throws UserError
/// when nothing would be left to learn.
void freeze_layers(Network& network, int64_t count);

}  // namespace fercli
