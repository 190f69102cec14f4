#!/bin/sh
# What processes and micro-shards give on one machine: images per second of AutoAttack and of training, as a Markdown
# table. The tables of experiments/cluster.md come from it.
#
#   experiments/bench_scale.sh [PROCESSES]          (2)
#
# FERCLI names the program. Nothing else should run meanwhile.
set -eu
processes=${1:-2}
fercli=${FERCLI:-build/release/fercli}
data=${BENCH_DATA:-synthetic:n=1280,seed=5}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT INT TERM
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
number=0

# attacked IMAGES LABEL OPTIONS…: AutoAttack on drawn faces; seconds of the whole command.
attacked() {
  images=$1 label=$2
  shift 2
  number=$((number + 1))
  start=$(date +%s.%N)
  "$fercli" eval --model standard --data "synthetic:n=$images,seed=5" --split all --attacks autoattack --eps 4/255 \
    --precision fp32 --quiet --out "$folder/$number" "$@" >/dev/null
  date +%s.%N | awk -v start="$start" -v n="$images" -v label="$label" \
    '{ printf "| AutoAttack, %s | %.2f |\n", label, n / ($1 - start) }'
}

# trained LABEL OPTIONS… -- LAUNCHER…: one epoch of the default network; the profile says how long a step takes.
trained() {
  label=$1
  shift
  options=
  while [ "$1" != -- ]; do options="$options $1" && shift; done
  shift
  number=$((number + 1))
  # shellcheck disable=SC2086
  "$@" "$fercli" train --data "$data" --epochs 1 --batch-size 128 --precision fp32 --quiet --profile \
    --out "$folder/$number" $options | awk -v label="$label" '/ steps of / {
      sub(/.* steps of /, ""); seconds = $1; sub(/[^:]*: /, ""); sub(/;.*/, "")
      printf "| Training, %s | %.1f | %s |\n", label, 128 / seconds, $0 }'
}

printf '| | images/s | |\n|---|---|---|\n'
attacked 28 "1 process, 1 thread" --threads 1
attacked 28 "1 process, $processes threads" --threads "$processes"
attacked 28 "$processes processes, 1 thread each" --threads "$processes" --processes "$processes"
trained "uncut, 1 thread" --threads 1 -- env
trained "uncut, $processes threads" --threads "$processes" -- env
trained "8 micro-shards, 1 process" --micro-shards 8 -- env
trained "8 micro-shards, $processes processes" --micro-shards 8 -- mpirun -np "$processes"
trained "$processes micro-shards, $processes processes" --micro-shards "$processes" -- mpirun -np "$processes"
