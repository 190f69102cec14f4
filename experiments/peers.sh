#!/usr/bin/env bash
# Published attacks beside fercli's, in one command:
#
#     experiments/peers.sh REFERENCE [OUT]
#
# Reruns the libraries that Python finds here (experiments/peers.py names their commits), takes the stored outputs of the
# others, lets fercli attack the same images, and writes OUT/peers.md (a table) and OUT/per_image.csv.
set -euo pipefail
cd "$(dirname "$0")/.."

reference=${1:?usage: experiments/peers.sh REFERENCE [OUT]}
out=${2:-out/peers}
mkdir -p "$out"
rerun=()
if python3 -c 'import torch' 2>/dev/null; then
  python3 experiments/peers.py "$reference" "$out/peers.csv"
  rerun=("$out/peers.csv")
else
  echo 'Python has no PyTorch here: stored outputs only' >&2
fi
build/release/experiments/peers "$reference" "$out/per_image.csv" "${rerun[@]}" | tee "$out/peers.md"
