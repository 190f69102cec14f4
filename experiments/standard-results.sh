#!/usr/bin/env bash
# The figures of the shipped standard network in README.md and results/models/README.md.
#   experiments/standard-results.sh FER2013 [OUT]
set -euo pipefail
data=${1:?usage: experiments/standard-results.sh FER2013 [OUT]}
out=${2:-out/standard-results}
fercli="$(dirname "$0")/../build/release/fercli"

"$fercli" eval --model standard --data "$data" --split PublicTest --out "$out/eval"
for eps in 8 4; do
  "$fercli" attack happy-to-sad --model standard --data "$data" --split PublicTest --eps "$eps/255" --minimal-eps \
    --out "$out/happy-to-sad-$eps"
done
