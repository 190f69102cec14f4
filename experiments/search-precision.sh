#!/usr/bin/env bash
# Which attacks may search in bfloat16? Each attack in float32 and with bfloat16 asked for, on the same faces.
#   experiments/search-precision.sh MODEL DATA ATTACK,… [NORM] [EPS] [MORE OPTIONS OF fercli eval…]
# Prints the robust accuracies, the median minimal eps and the paired comparison. Without bfloat16 hardware it is emulated.
set -euo pipefail
model=${1:?usage: experiments/search-precision.sh MODEL DATA ATTACK,… [NORM] [EPS] [OPTION…]}
data=${2:?} attacks=${3:?} norm=${4:-linf} eps=${5:-1/255,2/255,4/255,8/255}
fercli="$(dirname "$0")/../build/release/fercli"
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
for precision in fp32 bf16; do
  echo "== $precision"
  "$fercli" eval --model "$model" --data "$data" --attacks "$attacks" --norm "$norm" --eps "$eps" \
    --precision "$precision" --out "$out/$precision" --format csv "${@:6}" |
    grep -E '^"?(robust accuracy in|median)' | grep -v always || true
done
"$fercli" compare "$out/fp32/result.json" "$out/bf16/result.json"
