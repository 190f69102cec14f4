#include "live/steady_memory.hpp"

#include <cstdlib>  // says whether this is glibc

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace fercli {

void keep_memory_steady() {
#ifdef __GLIBC__
  constexpr int kLargeBlock = 256 << 10;  // a grey frame of 640x480 pixels is larger
  mallopt(M_MMAP_THRESHOLD, kLargeBlock);
#endif
}

}  // namespace fercli
