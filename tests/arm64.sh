#!/usr/bin/env bash
# For maintainers: compiles the project's own kernels and their tests for arm64 and runs them under emulation. Needs the
# packages g++-aarch64-linux-gnu, qemu-user and libgtest-dev.
#   tests/arm64.sh
set -euo pipefail
cd "$(dirname "$0")/.."

compiler=aarch64-linux-gnu-g++
emulator=$(command -v qemu-aarch64 || command -v qemu-aarch64-static || true)
command -v "$compiler" >/dev/null || { echo "arm64.sh: the package g++-aarch64-linux-gnu is missing" >&2; exit 2; }
[ -n "$emulator" ] || { echo "arm64.sh: the package qemu-user is missing" >&2; exit 2; }

out=build/arm64
mkdir -p "$out"
# Optimised as in CMakeLists.txt.
for kernel in nhwc_kernels winograd; do
  "$compiler" -std=c++17 -O3 -ffp-contract=off -Wall -Wextra -Isrc -c "src/models/kernels/$kernel.cpp" -o "$out/$kernel.o"
done
"$compiler" -std=c++17 -O1 -static -Isrc -isystem /usr/src/googletest/googletest/include -I/usr/src/googletest/googletest \
  tests/models/kernels/plain_kernels_test.cpp /usr/src/googletest/googletest/src/gtest-all.cc \
  /usr/src/googletest/googletest/src/gtest_main.cc "$out"/*.o -pthread -o "$out/kernel_tests"
"$emulator" "$out/kernel_tests"
