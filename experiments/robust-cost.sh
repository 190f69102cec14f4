#!/usr/bin/env bash
# Seconds per epoch of each adversarial method, relative to standard training: one epoch on the same images each.
#   experiments/robust-cost.sh FER2013 [OUT] [more options of fercli train, such as --threads 1]
# Writes OUT/robust-cost.md. Validation counts for nothing here, so it is made small. With SHARE=8 in the environment one
# image in eight is trained on: the ratios are the same, the seconds an eighth.
set -euo pipefail
data=${1:?usage: experiments/robust-cost.sh FER2013 [OUT] [OPTIONS]}
out=${2:-out/robust-cost}
shift $(($# > 1 ? 2 : 1))
fercli="$(dirname "$0")/../build/release/fercli"
base=""

mkdir -p "$out"
if [ "${SHARE:-1}" -gt 1 ]; then
  "$fercli" data convert "$data" "$out/all.csv" --force --quiet
  awk -v share="$SHARE" 'NR == 1 || NR % share == 0' "$out/all.csv" > "$out/share.csv"
  rm "$out/all.csv"
  data="$out/share.csv"
fi
rm -rf "$out"/run-*
{
  echo "| method | seconds per epoch | relative to standard training |"
  echo "|---|---|---|"
} > "$out/robust-cost.md"

# measure NAME OPTIONS…
measure() {
  local name=$1 seconds
  shift
  "$fercli" train --data "$data" --arch resnet --set width=64 dropout=0.1 --weights standard --epochs 1 --batch-size 64 \
    --lr 0.02 --crop 40 --seed 1 --quiet --out "$out/run-$name" "$@" > "$out/run-$name.log" 2>&1
  seconds=$(awk -F, 'NR == 1 { for (i = 1; i <= NF; ++i) if ($i == "seconds") column = i } NR == 2 { print $column }' \
    "$out/run-$name/history.csv")
  base=${base:-$seconds}
  awk -v name="$name" -v s="$seconds" -v b="$base" 'BEGIN { printf "| %s | %.0f | %.2f |\n", name, s, s / b }' |
    tee -a "$out/robust-cost.md"
}

adversarial=(--robust-images 7 --robust-steps 1)
measure standard "$@"
measure n-fgsm --loss n-fgsm "${adversarial[@]}" "$@"
measure n-fgsm-running --loss n-fgsm --attack-statistics running "${adversarial[@]}" "$@"
measure fgsm-rs --loss fgsm-rs "${adversarial[@]}" "$@"
measure pgd-at-2 --loss pgd-at --attack-steps 2 "${adversarial[@]}" "$@"
measure pgd-at-2-batch --loss pgd-at --attack-steps 2 --attack-statistics batch "${adversarial[@]}" "$@"
measure pgd-at-10 --loss pgd-at "${adversarial[@]}" "$@"
measure pgd-at-2-awp --loss pgd-at --attack-steps 2 --awp 0.005 "${adversarial[@]}" "$@"
measure trades-3 --loss trades --attack-steps 3 "${adversarial[@]}" "$@"
measure mart-3 --loss mart --attack-steps 3 "${adversarial[@]}" "$@"
measure free-4 --loss free --attack-steps 4 "${adversarial[@]}" "$@"
