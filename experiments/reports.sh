#!/usr/bin/env bash
# The reports in results/reports/: everything that `fercli report` measures, on PublicTest.
#   experiments/reports.sh FER2013 [OPTION of fercli report]…
# One report for each model of MODELS (environment, default "standard robust"), and one for all of them together with
# the transfer matrix, whose measurements the others share. RESULTS: where they go, default results/reports.
# Interrupted, it goes on where it was; a rerun measures nothing.
set -euo pipefail
data=${1:?usage: experiments/reports.sh FER2013 [OPTION]…}
shift
root="$(cd "$(dirname "$0")/.." && pwd)"
data="$(realpath -e "$data")"
cd "$root"
read -ra models <<<"${MODELS:-standard robust}"
results=${RESULTS:-results/reports}
work=out/reports
mkdir -p "$work"
ln -sfn "$data" "$work/FER2013"   # so that the reports name the data set, not a place on this machine

report() {  # NAME MODELS [OPTION]…
  local name=$1 chosen=$2
  shift 2
  build/release/fercli report --model "$chosen" --data "$work/FER2013" --split PublicTest --full \
    --cache "$work/cache" --out "$results/$name" "$@"
}

if ((${#models[@]} > 1)); then
  together=$(IFS=,; echo "${models[*]}")
  report comparison "$together" "$@"
  build/release/fercli compare "$results/comparison/report.json" --out "$results/comparison/paired-tests.json"
fi
for model in "${models[@]}"; do report "$model" "$model" "$@"; done
