#!/usr/bin/env bash
# Writes anew what the program prints and tests compare with: the help texts in tests/golden and the JSON Schemas in
# results/schema. Says which files changed. Needs the built program.
set -euo pipefail
cd "$(dirname "$0")/.."

program=build/release/fercli
if [ ! -x "$program" ]; then
  echo "tests/renew.sh: $program is missing; build it first: cmake --build build/release --target fercli" >&2
  exit 1
fi
printed=$(mktemp -d)
trap 'rm -rf "$printed"' EXIT

# renew FOLDER ENDING: FOLDER gets the files of that ending that were printed, and loses all others.
renew() {
  local folder=$1 ending=$2 file name
  for file in "$printed"/*."$ending"; do
    name=$(basename "$file")
    if cmp -s "$file" "$folder/$name"; then continue; fi
    cp "$file" "$folder/$name"
    echo "$folder/$name: changed"
  done
  for file in "$folder"/*."$ending"; do
    if [ -e "$printed/$(basename "$file")" ]; then continue; fi
    rm "$file"
    echo "$folder/$(basename "$file"): removed"
  done
}

commands=$("$program" help | sed -n '/^Commands:$/,/^$/s/^  \([a-z0-9-]*\)  .*/\1/p')
documents=$("$program" schema | sed 's/ .*//')
for name in $commands; do "$program" help "$name" >"$printed/$name.txt"; done
for name in $documents; do "$program" schema "$name" >"$printed/$name.json"; done
renew tests/golden txt
renew results/schema json
