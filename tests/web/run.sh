#!/usr/bin/env bash
# Drives the web page of `fercli serve` in headless Chromium whose camera shows drawn faces, and checks its HTML, its
# accessibility and the description of its API. Needs Debian's chromium and node, and of npm these four somewhere on
# NODE_PATH: npm install playwright-core axe-core html-validate @redocly/cli
#   NODE_PATH=/path/to/node_modules tests/web/run.sh [folder for screenshots]
# ONLY='words of a name' runs the browser's tests of that name alone.
set -euo pipefail
cd "$(dirname "$0")/../.."
fercli=${FERCLI:-build/release/fercli}
shots=$(realpath -m "${1:-out/web}")
: "${NODE_PATH:?names no folder of npm packages; see the top of tests/web/run.sh}"
tools=${NODE_PATH%%:*}/.bin
mkdir -p "$shots"
work=$(mktemp -d)
servers=()
trap '[ ${#servers[@]} -eq 0 ] || kill "${servers[@]}" 2>/dev/null; rm -rf "$work"' EXIT

"$tools/html-validate" src/serve/page/*.html

# The fake camera: a video of drawn people, in the format that Chromium reads; and pictures to upload.
"$fercli" live --no-window --quiet --source synthetic:faces=2,fps=10,seconds=6 --record "$work/people.avi" >/dev/null
node tests/web/split_avi.cjs "$work/people.avi" "$work/people.mjpeg" "$work/people.jpg"
cp results/faces/Happy/0000.png "$work/happy.png"
cp results/faces/Sad/0001.png "$work/sad.png"
node tests/web/wall.cjs "$work/wall.png"

# Starts a server and waits for its address: serve LOG [options].
serve() {
  "$fercli" serve --port 0 --rate 0 "${@:2}" >"$work/$1" 2>&1 &
  servers+=($!)
  for _ in $(seq 100); do
    if grep -q http "$work/$1"; then break; fi
    sleep 0.2
  done
  grep -o 'http://[^ ]*' "$work/$1"
}
serve open.log >"$work/address"
curl -fsS "$(cat "$work/address")openapi.json" >"$work/openapi.json"
REDOCLY_TELEMETRY=off "$tools/redocly" lint "$work/openapi.json" 2>&1 | tail -n 3
serve guarded.log --token "open sesame" >"$work/guarded"
# A page of another site, and a server that lets it in.
node tests/web/elsewhere.cjs >"$work/elsewhere" &
servers+=($!)
until [ -s "$work/elsewhere" ]; do sleep 0.1; done
serve shared.log --token "open sesame" --cors "$(cat "$work/elsewhere")" --cors null >"$work/shared"
node tests/web/page_test.cjs "$(cat "$work/address")" "$(cat "$work/guarded")" "$work" "$shots" "${CHROMIUM:-$(command -v chromium)}"
