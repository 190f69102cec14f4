#!/usr/bin/env bash
# The leaderboard of results/: AutoAttack at 4/255 on the shipped networks, on those of robust-methods.sh and on the
# widely used mini-XCEPTION (fer2013_mini_XCEPTION.102-0.66.hdf5 of oarriaga/face_classification).
#   experiments/leaderboard.sh FER2013 MINI_XCEPTION.hdf5 OUT
# The figures of the first are those of results/robustness.json and robust-methods.json; mini-XCEPTION is attacked here (500
# images). Writes cards and tables to results/leaderboard. Needs Python.
set -euo pipefail
usage="usage: experiments/leaderboard.sh FER2013 MINI_XCEPTION.hdf5 OUT"
data=${1:?$usage} foreign=${2:?$usage} out=${3:?$usage}
cd "$(dirname "$0")/.."
fercli=build/release/fercli cards=results/leaderboard eps=4/255

mkdir -p "$out" "$cards"
ln -sfn "$(realpath -e "$data")" "$out/FER2013" # so that the cards name the data set, not a place on this machine
foreign=$(realpath -e "$foreign")
program=$(realpath -e "$fercli")
(cd "$out" && "$program" eval --model "$foreign" --scale=-1,1 --labels fer2013 --data FER2013 --split PublicTest --limit 500 \
  --attacks autoattack --eps "$eps" --out mini-xception --quiet)
"$fercli" leaderboard "$cards" --add "$out/mini-xception/result.json" --eps "$eps" --name mini-XCEPTION --force \
  --authors "Arriaga, Valdenegro-Toro, Plöger" --venue arXiv:1710.07557 --architecture mini-XCEPTION \
  --link https://github.com/oarriaga/face_classification >/dev/null
python3 experiments/leaderboard_cards.py results/robustness.json results/models "$eps" "$cards"
python3 experiments/leaderboard_cards.py results/robust-methods.json experiments/robust-methods.sh "$eps" "$cards"
"$fercli" leaderboard "$cards" --out "$cards/README.md" --force
