#!/usr/bin/env bash
# What a release of the system makes of fercli: versions, accuracy of the shipped network, and the benchmarks' ratios.
#   experiments/compatibility.sh FER2013 OUT       measures this system; OUT/table.md, OUT/standard/per_image.csv
#   experiments/compatibility.sh --compare A B     compares the verdicts in two such folders
# Needs `./setup.sh --all`. FERCLI_BENCH_PRECISION=fp32 for the benchmarks in float32; SKIP_BENCH=1 leaves them out,
# BENCHMARKS='Training|Pgd' all others.
set -euo pipefail
usage='usage: experiments/compatibility.sh FER2013 OUT, or --compare A B'

# Images with another verdict, and the largest difference of a probability.
compare() {
  paste -d ' ' "$1/standard/per_image.csv" "$2/standard/per_image.csv" | awk '
    NR > 1 {
      split($1, a, ","); count = split($2, b, ",")
      if (a[1] != b[1]) {print "the folders are of other images" > "/dev/stderr"; exit 1}
      images++; other += a[3] != b[3]
      for (i = 5; i <= count; ++i) {d = a[i] - b[i]; if (d < 0) d = -d; if (d > most) most = d}
    }
    END {printf "%d of %d verdicts differ; the largest difference of a probability is %.1e\n", other, images, most}'
}

if [ "${1:-}" = --compare ]; then
  compare "${2:?$usage}" "${3:?$usage}"
  exit
fi

data=${1:?$usage}
out=${2:?$usage}
build="$(dirname "$0")/../build/release"
mkdir -p "$out"

# The version of a package without Debian's part.
version() { dpkg-query -W -f '${Version}' "$1" 2>/dev/null | sed -E 's/^[0-9]+://; s/[+~-].*//'; }

versions() {
  local row name package
  # shellcheck source=/dev/null
  . /etc/os-release
  echo "| system | $PRETTY_NAME, $(dpkg --print-architecture) |"
  for row in LibTorch=libtorch-dev oneDNN=libdnnl-dev OpenCV=libopencv-dev fmt=libfmt-dev Boost=libboost-program-options-dev ONNX=libonnx-dev \
    protobuf=libprotobuf-dev HDF5=libhdf5-dev 'GoogleTest=libgtest-dev' CMake=cmake; do
    name=${row%%=*} package=${row#*=}
    echo "| $name | $(version "$package") |"
  done
  echo "| compiler | $("${CXX:-c++}" --version | sed -n 1p) |"
}

accuracy() {
  "$build/fercli" eval --model standard --data "$data" --split PublicTest --quiet --out "$out/standard" >"$out/standard.txt"
  echo "| accuracy of \`standard\`, PublicTest, float32 | $(sed -n 's/^ *accuracy  *//p' "$out/standard.txt" | head -n 1) |"
}

# Name, images a second and the ratio to the plain loop, one row per benchmark. Each runs by itself: a CSV table wants
# the same counters of all.
benchmarks() {
  local program name
  for program in bench_training bench_attacks; do
    for name in $("$build/experiments/$program" --benchmark_list_tests --benchmark_filter="${BENCHMARKS:-.}"); do
      "$build/experiments/$program" --benchmark_format=csv --benchmark_filter="^$name\$" 2>>"$out/$program.err" |
        tee -a "$out/$program.csv" | awk -F, -v program=$program '
          /^name,/ {for (i = 1; i <= NF; ++i) {gsub(/"/, "", $i); column[$i] = i}; next}
          column["ratio"] {split($1, name, "/"); gsub(/"/, "", name[1])
            printf "| %s, %s (%s): images/s, ratio | %.4g, %.2f |\n", program, name[1], $column["label"], $column["images"], $column["ratio"]}
        ' | tr -d '"'
    done
  done
}

{
  echo '| what | value |'
  echo '|---|---|'
  versions
  accuracy
  if [ -z "${SKIP_BENCH:-}" ]; then benchmarks; fi
} | tee "$out/table.md"
