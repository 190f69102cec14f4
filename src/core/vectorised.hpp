#pragma once

// Plain loops that the compiler vectorises: it makes one version of a FERCLI_VECTORISED function for each vector width,
// and the program takes the widest that the machine has.
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__linux__) && \
    !defined(__SANITIZE_ADDRESS__)
#define FERCLI_VECTORISED __attribute__((target_clones("arch=skylake-avx512", "avx2", "default")))
#else
#define FERCLI_VECTORISED
#endif

/// Before a loop whose rounds write nothing that another round reads or writes.
#ifdef __clang__
#define FERCLI_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define FERCLI_INDEPENDENT _Pragma("GCC ivdep")
#endif
