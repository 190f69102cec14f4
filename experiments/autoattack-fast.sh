#!/usr/bin/env bash
# How near does autoattack-fast come to autoattack, and how much faster is it? Both on the same images in the same run.
#   experiments/autoattack-fast.sh FER2013 OUT MODEL…      MODEL is a shipped name (standard, robust)
# LIMIT images of PublicTest (environment, default 1000), each class in proportion, at EPS (default
# 1/255,2/255,4/255,8/255), 8-bit images. An image that stands all of autoattack costs some 8,000 passes. Interrupted, a run
# goes on where it was. Prints, for each model and eps: what each stage broke at which cost, the robust accuracies and the
# seconds of both, and every image on which they differ.
set -euo pipefail
usage="usage: experiments/autoattack-fast.sh FER2013 OUT MODEL…"
data=${1:?$usage} out=${2:?$usage}
shift 2
[ $# -gt 0 ] || { echo "$usage" >&2; exit 2; }
root="$(dirname "$0")/.."

for model in "$@"; do
  folder="$out/$model"
  if [ ! -e "$folder/tables.md" ]; then
    mkdir -p "$folder"
    "$root/build/release/fercli" eval --model "$model" --data "$data" --split PublicTest --limit "${LIMIT:-1000}" \
      --attacks autoattack-fast,autoattack --eps "${EPS:-1/255,2/255,4/255,8/255}" --threads "${THREADS:-1}" --explain \
      --format markdown --out "$folder" >"$folder/tables.part"
    mv "$folder/tables.part" "$folder/tables.md"
  fi
  printf '# %s\n\n' "$model"
  cat "$folder/tables.md"
  printf '\n## seconds\n\n'
  sed -n 's/^ *"seconds\.\(autoattack[^"]*\)": \([0-9.e+-]*\),\{0,1\}$/- \1: \2/p' "$folder/result.json"
  printf '\n## images on which they differ\n\n'
  # id,label,clean,attack,eps,answer,robust,distance; ids with commas stand in quotes, and the other fields have none.
  awk -F, 'NR > 1 { robust = $(NF - 1); eps = $(NF - 3); attack = $(NF - 4); clean = $(NF - 5); label = $(NF - 6)
      id = $0; sub("," label "," clean "," attack "," eps ",.*", "", id); key = id " at " eps
      if (clean != label) next
      n[eps] += attack == "autoattack"
      if (key in seen && seen[key] != robust) {
        fast = attack == "autoattack-fast" ? robust : seen[key]
        print "- " key ": broken by " (fast == "1" ? "autoattack" : "autoattack-fast") " alone"; differ[eps]++
      }
      seen[key] = robust }
    END { for (eps in n) print "- eps " eps ": " differ[eps] + 0 " of " n[eps] " rightly classified images differ" }' \
    "$folder/outcomes.csv"
done
