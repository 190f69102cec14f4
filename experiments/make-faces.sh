#!/usr/bin/env bash
# Draws the faces that ship in results/faces (48x48 grey, ten of each emotion) and the contact sheet
# results/figures/drawn-faces.png (96x96 colour, eight of each emotion). Run after the build; takes a few seconds.
set -euo pipefail
cd "$(dirname "$0")/.."
fercli=${FERCLI:-build/release/fercli}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# `data convert` writes SPLIT/CLASS/NUMBER.png; the shipped set has no splits.
"$fercli" data convert "synthetic:n=70,seed=7" "$work/crops" --quiet
for picture in "$work"/crops/*/*/*.png; do
  class=$(basename "$(dirname "$picture")")
  mkdir -p "results/faces/${class^}"
  mv "$picture" "results/faces/${class^}/"
done
# Their groups (skin, glasses, …), by the names that they have here.
awk -F/ 'NR == 1 {print; next} {print toupper(substr($2, 1, 1)) substr($2, 2) "/" $3}' "$work/crops/groups.csv" >results/faces/groups.csv

cells=96 columns=8 classes=(happy sad angry surprise fear disgust neutral)
"$fercli" data convert "synthetic:n=56,seed=1,noise=0" "$work/sheet" --size $cells --channels 3 --quiet
plots=()
for row in "${!classes[@]}"; do
  for column in $(seq 0 $((columns - 1))); do
    picture=$(ls "$work"/sheet/*/"${classes[row]}"/"$(printf %04d "$column")".png)
    left=$((column * cells)) bottom=$(((${#classes[@]} - 1 - row) * cells))
    plots+=("'$picture' binary filetype=png origin=($left,$bottom) dx=1 dy=1 with rgbimage notitle")
  done
done
width=$((columns * cells)) height=$((${#classes[@]} * cells))
mkdir -p results/figures
gnuplot <<EOF
set terminal pngcairo size $width,$height
set output "results/figures/drawn-faces.png"
unset border
unset tics
set margins 0,0,0,0
set xrange [-0.5:$width-0.5]
set yrange [-0.5:$height-0.5]
plot $(IFS=,; echo "${plots[*]}")
EOF
