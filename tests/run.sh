#!/usr/bin/env bash
# Set-up and the whole test suite. --asan runs the suite on the sanitizer build instead of the release build.
set -euo pipefail
cd "$(dirname "$0")/.."

preset=release
if [ "${1:-}" = --asan ]; then
  preset=asan
  # LibTorch and OpenCV leave their pools to the end of the process, which is no leak of fercli's.
  export ASAN_OPTIONS="detect_leaks=0:${ASAN_OPTIONS:-}"
  export UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1:${UBSAN_OPTIONS:-}"
  ./setup.sh --asan --no-advice
else
  ./setup.sh --all --no-advice
fi
ctest --preset "$preset" --parallel "$(nproc)"
