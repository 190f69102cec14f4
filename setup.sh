#!/usr/bin/env bash
# Installs what fercli needs on Debian or Ubuntu and builds the program. Safe to run again; what is there is left alone.
#   ./setup.sh            packages, configure, build build/release/fercli
#   ./setup.sh --all      the same, and the tests and benchmarks
#   ./setup.sh --asan     the program, and the sanitizer build in build/asan
#   ./setup.sh --fuzz     the program, and clang for tests/fuzz/run.sh
#   ./setup.sh --packages the packages alone
#   ./setup.sh -DNAME=VALUE …   settings for CMake, such as -DFERCLI_ONEDNN=OFF
# Another compiler: CXX=clang++ ./setup.sh
# Another LibTorch (official archive, Python wheel, CUDA): FERCLI_TORCH=/path/to/libtorch ./setup.sh
set -euo pipefail
cd "$(dirname "$0")"
export LC_ALL=C.UTF-8  # what apt-get says is read below
started=$SECONDS

say() { echo "setup.sh: $*"; }
fail() {
  echo "setup.sh: $1" >&2
  exit "${2:-1}"
}

kind=program
advice=yes
settings=()
for argument in "$@"; do
  case $argument in
    --all) kind=all ;;
    --asan) kind=asan ;;
    --fuzz) kind=fuzz ;;
    --packages) kind=packages ;;
    --no-advice) advice=no ;;  # for scripts that have their own
    -D?*=*) settings+=("$argument") ;;
    -h | --help)
      sed -n '2,10s/^# \{0,1\}//p' setup.sh
      exit 0
      ;;
    *) fail "there is no option $argument; the options are --all, --asan, --fuzz, --packages and -DNAME=VALUE" 2 ;;
  esac
done

# --- packages ---------------------------------------------------------------------------------------------------------

# One package each. a|b: the first that this system knows. a?: left out where the system has none.
wanted=(g++ cmake ninja-build 'ccache?' git 'libopenblas0-openmp|libopenblas0' libopencv-dev opencv-data libjpeg-dev libpng-dev libtiff-dev libwebp-dev libfreetype-dev
  libboost-dev libboost-program-options-dev libfmt-dev nlohmann-json3-dev 'libdnnl-dev?' libssl-dev libprotobuf-dev protobuf-compiler
  libonnx-dev libhdf5-dev libzip-dev libgtest-dev 'libgmock-dev|googletest' libbenchmark-dev 'gnuplot-nox|gnuplot'
  'fonts-dejavu-core|ttf-dejavu-core' 'libopenmpi-dev?' 'openmpi-bin?')
[ -n "${FERCLI_TORCH:-}" ] || wanted+=(libtorch-dev)
case ${CXX:-} in *clang*) wanted+=(clang libomp-dev) ;; esac
[ "$kind" != fuzz ] || wanted+=(clang libclang-rt-dev)

have_lists() { [ -n "$(find /var/lib/apt/lists -name '*Packages*' -print -quit 2>/dev/null)" ]; }

# Reads which packages are missing, under the names that this system has for them, into `missing`. `unknown`: those of
# them that it has not. Before the package lists were ever read, the first names are taken to be right.
find_missing() {
  missing=()
  unknown=()
  local entry name names found installed known
  IFS=$' \n' read -rd '' -a names <<<"${wanted[*]//[|?]/ }" || true
  installed=$'\n'$(dpkg-query -W -f '${Package} ${Status}\n' "${names[@]}" 2>/dev/null | sed -n 's/ install ok installed$//p' || true)$'\n'
  known=$'\n'$(apt-cache policy "${names[@]}" 2>/dev/null | awk '/^[^ ]/ {name = $1; sub(":$", "", name)}
                                                                 /^  Candidate: / && $2 != "(none)" {print name}' || true)$'\n'
  for entry in "${wanted[@]}"; do
    IFS='|' read -ra names <<<"${entry%\?}"
    found=
    for name in "${names[@]}"; do
      case $installed in *$'\n'"$name"$'\n'*) continue 2 ;; esac
      case $known in *$'\n'"$name"$'\n'*) found=${found:-$name} ;; esac
    done
    if [ -z "$found" ] && have_lists; then
      [ "$entry" != "${entry%\?}" ] || unknown+=("${names[0]}")
    else
      missing+=("${found:-${names[0]}}")
    fi
  done
}

# Says how many packages apt-get would install, and their sizes.
describe_packages() {
  local all
  mapfile -t all < <(apt-get install --simulate --no-install-recommends "${missing[@]}" 2>/dev/null | awk '/^Inst / {print $2}')
  [ ${#all[@]} -gt 0 ] || return 0
  apt-cache show --no-all-versions "${all[@]}" 2>/dev/null |
    awk -v count=${#all[@]} '/^Size: / {fetch += $2 / 1e6} /^Installed-Size: / {disk += $2 / 1e3}
      END {printf "setup.sh: installs %d packages: %.0f MB to fetch, %.0f MB on disk, about %d min\n",
                  count, fetch, disk, 1 + disk / 600}'
}

as_root=()
can_be_root() {
  [ "$(id -u)" -ne 0 ] || return 0
  command -v sudo >/dev/null || return 1
  as_root=(sudo)
  if sudo -n true 2>/dev/null; then return 0; fi
  [ -t 0 ] && [ -t 2 ] || return 1  # nobody can be asked for a password
  say "sudo may ask for your password, to install packages"
  sudo -v
}

check_known() {
  [ ${#unknown[@]} -gt 0 ] || return 0
  case " ${unknown[*]} " in
    *' libtorch-dev '*) fail "this system has no package libtorch-dev. Unpack LibTorch's official archive and run:
  FERCLI_TORCH=/path/to/libtorch ./setup.sh" ;;
    *) fail "this system does not know these packages: ${unknown[*]}
On Ubuntu they are in the component universe: sudo add-apt-repository universe" ;;
  esac
}

install_packages() {
  command -v apt-get >/dev/null || fail "this is no Debian or Ubuntu system; install the equivalents of: ${missing[*]}"
  if ! can_be_root; then
    check_known
    fail "${#missing[@]} packages are missing, and only root can install them. Run this line as root, or with sudo before
both commands, and then setup.sh again:
  apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"
  fi
  say "$((${#missing[@]} + ${#unknown[@]})) packages are missing; reading what the system offers"
  if ! "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -q || ! have_lists; then
    fail "the package lists cannot be read; is there a network?"
  fi
  find_missing
  check_known
  describe_packages
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" ||
    fail "the packages cannot be installed; the lines above say why. Is there a network?"
}

# --- build ------------------------------------------------------------------------------------------------------------

# A compiler needs up to 1.5 GB of memory: fewer at once where there is little.
count_jobs() {
  local jobs memory
  jobs=$(nproc)
  memory=$(awk '/^MemAvailable:/ {print int($2 / 1500000)}' /proc/meminfo 2>/dev/null || true)
  if [ -n "$memory" ] && [ "$memory" -lt "$jobs" ]; then jobs=$memory; fi
  if [ "$jobs" -lt 1 ]; then jobs=1; fi
  echo "${CMAKE_BUILD_PARALLEL_LEVEL:-$jobs}"
}

configure() {
  # CMake keeps the compiler of the first time; another one wants a new beginning.
  local cache=build/$1/CMakeCache.txt known
  if [ -n "${CXX:-}" ] && [ -e "$cache" ]; then
    known=$(sed -n 's/^CMAKE_CXX_COMPILER:[A-Z]*=//p' "$cache")
    [ "$known" = "$(command -v "$CXX" || true)" ] || rm -rf "$cache" "build/$1/CMakeFiles"
  fi
  cmake --preset "$1" ${FERCLI_TORCH:+-DCMAKE_PREFIX_PATH="$FERCLI_TORCH"} ${settings[@]+"${settings[@]}"}
}

# Minutes of one processor core, estimated, for what a preset compiles.
declare -A core_minutes=([release]=14 [release-all]=24 [asan]=40)

# Configures and builds one preset.
build() {
  local preset=$1 folder=build/${1%-all} jobs=$CMAKE_BUILD_PARALLEL_LEVEL
  configure "${preset%-all}"
  if [ ! -e "$folder/.ninja_log" ]; then
    say "compiles into $folder: about $(((core_minutes[$preset] + jobs - 1) / jobs)) minutes, $jobs files at once"
  fi
  cmake --build --preset "$preset"
}

CMAKE_BUILD_PARALLEL_LEVEL=$(count_jobs)
export CMAKE_BUILD_PARALLEL_LEVEL
find_missing
if [ $((${#missing[@]} + ${#unknown[@]})) -gt 0 ]; then install_packages; fi
case $kind in
  program | fuzz) build release ;;
  all) build release-all ;;
  asan)
    build release
    build asan
    ;;
esac
say "done in $((SECONDS - started)) s"
if [ "$advice" = no ] || [ "$kind" = packages ]; then exit 0; fi
cat <<'END'
Try next:
  build/release/fercli attack happy-to-sad    make the shipped network take happy faces for sad ones
  build/release/fercli serve                  the same in a web page, with your own pictures
  build/release/fercli help                   all commands
  tests/run.sh                                the test suite
END
