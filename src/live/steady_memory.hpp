#pragma once

namespace fercli {

/// For programs that run for hours: from here on blocks of a frame's size are given back to the system when they are
/// freed. `prepare_machine` keeps them, which is right for training; but frames are made in one thread and freed in
/// another, between small blocks that live on, and glibc's heap (until 2.38) then grows by about a frame for each
/// frame: 250 MiB in ten seconds were measured. Call it after `prepare_machine`. Does nothing without glibc.
void keep_memory_steady();

}  // namespace fercli
