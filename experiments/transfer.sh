#!/usr/bin/env bash
# Which settings of mi-fgsm make images that fool another network most often?
#   experiments/transfer.sh FER2013 OUT [MODEL]      MODEL: a third network that judges, such as mini-XCEPTION's file
# Untargeted, Linf, EPS (environment, default 8/255), 8-bit images, seed 0, on those of LIMIT (default 500) images of
# PublicTest, each class in proportion, that the judging network classifies rightly. A setting that has a result is not run
# again. Prints how often the judge is fooled, a row for each setting and a column for each pair.
set -euo pipefail
usage="usage: experiments/transfer.sh FER2013 OUT [MODEL]"
data=${1:?$usage} out=${2:?$usage} third=${3:-} eps=${EPS:-8/255}
root="$(dirname "$0")/.."
pairs=(standard:robust robust:standard)
[ -z "$third" ] || pairs+=("standard:$third" "robust:$third")
settings=(pgd mi-fgsm "mi-fgsm:diversity=0.5" "mi-fgsm:translation=3" "mi-fgsm:scales=5" "mi-fgsm:neighbours=5"
  "mi-fgsm:diversity=0.5,translation=3" "mi-fgsm:diversity=0.5,scales=5" "mi-fgsm:diversity=0.5,neighbours=5"
  "mi-fgsm:diversity=0.5,translation=3,scales=5")

row="| setting |" rule="|---|"
for pair in "${pairs[@]}"; do
  judge=${pair#*:}
  row+=" ${pair%%:*} to $(basename "$judge") |" rule+="---|"
done
printf '%s\n%s\n' "$row" "$rule"
for setting in "${settings[@]}"; do
  row="| $setting |"
  for pair in "${pairs[@]}"; do
    maker=${pair%%:*} judge=${pair#*:}
    folder="$out/$maker-$(basename "$judge")/$setting"
    [ -e "$folder/result.json" ] ||
      "$root/build/release/fercli" eval --model "$judge" --surrogate "$maker" --data "$data" --split PublicTest \
        --limit "${LIMIT:-500}" --attacks "$setting" --eps "$eps" --threads "${THREADS:-1}" --quiet --out "$folder" >/dev/null
    success=$(sed -nE "s|^ *\"attack_success\\.${setting%%:*}\\.$eps\": ||p" "$folder/result.json" |
      sed -E 's/.*"interval":\[([0-9.e-]+),([0-9.e-]+)\],"n":([0-9]+),"value":([0-9.e-]+).*/\4 \1 \2 \3/' |
      awk '{ printf "%.1f (%.1f–%.1f) of %d", 100 * $1, 100 * $2, 100 * $3, $4 }')
    row+=" $success |"
  done
  printf '%s\n' "$row"
done
