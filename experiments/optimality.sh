#!/usr/bin/env bash
# The optimality table of results/: minimum-norm attacks beside the best of all of them, norm by norm.
#   experiments/optimality.sh FER2013 OUT MODEL…      MODEL is a shipped name (standard, robust)
# LIMIT images of PublicTest (environment, default 200), each class in proportion, off the pixel grid, every attack in its
# default settings with seed SEED (default 0). An attack that has a result is not run again, and an interrupted one goes on
# where it was, so that the table can be made of what there is. JOBS (NORM:ATTACK …) names others; those of thousands of
# passes for each image come last.
set -euo pipefail
usage="usage: experiments/optimality.sh FER2013 OUT MODEL…"
data=${1:?$usage} out=${2:?$usage}
shift 2
[ $# -gt 0 ] || { echo "$usage" >&2; exit 2; }
root="$(dirname "$0")/.."
jobs=${JOBS:-l0:fmn l0:sigma-zero l1:fmn l1:pdpgd l2:ddn l2:fmn l2:deepfool linf:fmn linf:deepfool l1:fab l2:pdpgd linf:fab
  l2:fab l1:ead l2:cw}

for job in $jobs; do
  norm=${job%%:*} attack=${job#*:}
  for model in "$@"; do
    folder="$out/$model/$norm/$attack"
    [ -e "$folder/result.json" ] && continue
    "$root/build/release/fercli" eval --model "$model" --data "$data" --split PublicTest --limit "${LIMIT:-200}" \
      --attacks "$attack" --norm "$norm" --float --seed "${SEED:-0}" --threads "${THREADS:-1}" --quiet --out "$folder"
  done
done

"$root/build/release/experiments/optimality_table" "$out" "$@"
