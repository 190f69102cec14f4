#!/usr/bin/env bash
# Which adversarial method gives most for the same training time? Each starts from the standard network and trains as
# long as the others: as many epochs of its recipe (robust-METHOD.ini) as take about 20 minutes of one core with AMX.
#   experiments/robust-methods.sh FER2013 OUT [METHOD…]
# Then robust-results.sh compares them; the command is printed. Interrupted, it goes on where it was.
set -euo pipefail
usage="usage: experiments/robust-methods.sh FER2013 OUT [METHOD…]"
data=${1:?$usage} out=${2:?$usage}
shift 2
here="$(dirname "$0")"
declare -A epochs=([nfgsm]=8 [fgsm-rs]=8 [pgd]=6 [awp]=4 [trades]=4 [mart]=4 [free]=3)
methods=("$@")
[ ${#methods[@]} -gt 0 ] || methods=(nfgsm pgd trades mart awp free fgsm-rs)

models=()
for method in "${methods[@]}"; do
  folder="$out/$method"
  [ -e "$folder/done" ] ||
    "$here/../build/release/fercli" train --adversarial --config "$here/robust-$method.ini" --epochs "${epochs[$method]}" \
      --full-epochs 1 --data "$data" --out "$folder" --threads 1 --resume
  touch "$folder/done"
  models+=("$method=$folder/best.pt")
done
echo "LIMIT=100 $here/robust-results.sh $data $out/results ${models[*]}"
