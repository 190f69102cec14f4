#!/usr/bin/env bash
# The robustness table of results/: every model named on the command line under the same attacks.
#   experiments/robust-results.sh FER2013 OUT MODEL…      MODEL is a shipped name (standard, robust) or NAME=FILE
# FGSM and PGD-20 look at all of PublicTest (or LADDER_LIMIT images, environment); AutoAttack, whose cost is thousands of
# passes for each image that stands it, at LIMIT images (default 500; 0: all), each class in proportion. Both on 1, 2, 4 and
# 8/255; AutoAttack only on some of these with AUTOATTACK_EPS=4/255 in the environment.
# Happy-to-sad and the smallest eps on the correctly classified Happy faces. Interrupted, the evaluations go on where they
# were; happy-to-sad (some five minutes) is made again.
set -euo pipefail
usage="usage: experiments/robust-results.sh FER2013 OUT MODEL…"
data=${1:?$usage} out=${2:?$usage}
shift 2
root="$(dirname "$0")/.."
fercli="$root/build/release/fercli"
limit=${LIMIT:-500}
ladder=1/255,2/255,4/255,8/255
autoattack_eps=${AUTOATTACK_EPS:-$ladder}
names=()

for model in "$@"; do
  name=${model%%=*} file=${model#*=}
  names+=("$name")
  folder="$out/$name"
  common=(--model "$file" --data "$data" --split PublicTest)
  "$fercli" eval "${common[@]}" --attacks fgsm,pgd --steps 20 --eps "$ladder" --limit "${LADDER_LIMIT:-0}" \
    --out "$folder/eval"
  "$fercli" eval "${common[@]}" --attacks autoattack --eps "$autoattack_eps" --limit "$limit" --out "$folder/autoattack"
  for eps in 4 8; do
    for confidence in 0 0.9; do
      search=()
      [ "$eps-$confidence" = 8-0 ] && search=(--minimal-eps)
      "$fercli" attack happy-to-sad "${common[@]}" --eps "$eps/255" --min-confidence "$confidence" "${search[@]}" \
        --out "$folder/happy-to-sad-$eps-$confidence" || [ $? -eq 1 ]  # 1: sure of no Happy face
    done
  done
done

"$root/build/release/experiments/robust_table" "$out" "${names[@]}"
