#!/usr/bin/env bash
# Installs what fercli needs on a Debian machine and builds the release preset. Safe to run again.
#   ./setup.sh            packages, configure, build build/release/fercli
#   ./setup.sh --all      the same, and the tests and benchmarks
#   ./setup.sh --asan     the program, and the sanitizer build in build/asan
# Another LibTorch (official archive, Python wheel, CUDA): FERCLI_TORCH=/path/to/libtorch ./setup.sh
set -euo pipefail
cd "$(dirname "$0")"

packages=(g++ cmake ninja-build ccache pkg-config git
  libopenblas0-openmp libopencv-dev opencv-data libjpeg-dev libpng-dev libtiff-dev libwebp-dev
  libboost-program-options-dev libfmt-dev nlohmann-json3-dev
  libdnnl-dev libssl-dev libprotobuf-dev protobuf-compiler libonnx-dev libhdf5-dev libzip-dev
  libcpp-httplib-dev libgtest-dev libgmock-dev libbenchmark-dev gnuplot-nox fonts-dejavu-core)
[ -n "${FERCLI_TORCH:-}" ] || packages+=(libtorch-dev)

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  if ! command -v apt-get >/dev/null; then
    echo "setup.sh: this is no Debian system; install the equivalents of: ${missing[*]}" >&2
    exit 1
  fi
  as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    if ! sudo -n true 2>/dev/null; then
      echo "setup.sh: packages are missing and there is no root access; run this, then setup.sh again:" >&2
      echo "  sudo apt-get install --no-install-recommends ${missing[*]}" >&2
      exit 1
    fi
    as_root=(sudo)
  fi
  export DEBIAN_FRONTEND=noninteractive
  "${as_root[@]}" apt-get update -q
  "${as_root[@]}" apt-get install -y -q --no-install-recommends "${missing[@]}"
fi

configure() {
  cmake --preset "$1" ${FERCLI_TORCH:+-DCMAKE_PREFIX_PATH="$FERCLI_TORCH"}
}
configure release
cmake --build --preset release
case "${1:-}" in
  --all)
    cmake --build --preset release-all
    ;;
  --asan)
    configure asan
    cmake --build --preset asan
    ;;
esac
