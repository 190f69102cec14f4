#!/usr/bin/env bash
# Drives the web page of `fercli serve` in headless Chromium whose camera shows drawn faces. Needs Debian's chromium
# and node, and playwright-core (npm install playwright-core) somewhere on NODE_PATH.
#   NODE_PATH=/path/to/node_modules tests/web/run.sh [folder for screenshots]
set -euo pipefail
cd "$(dirname "$0")/../.."
fercli=${FERCLI:-build/release/fercli}
shots=$(realpath -m "${1:-out/web}")
mkdir -p "$shots"
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$work"' EXIT

# The fake camera: a video of drawn people, in the format that Chromium reads; and two pictures to upload.
"$fercli" live --no-window --quiet --source synthetic:faces=2,fps=10,seconds=6 --record "$work/people.avi" >/dev/null
node tests/web/split_avi.cjs "$work/people.avi" "$work/people.mjpeg" "$work/people.jpg"
cp results/faces/Happy/0000.png "$work/happy.png"

"$fercli" serve --port 0 --rate 0 >"$work/serve.log" 2>&1 &
server=$!
for _ in $(seq 100); do
  if grep -q http "$work/serve.log"; then break; fi
  sleep 0.2
done
address=$(grep -o 'http://[^ ]*' "$work/serve.log")
node tests/web/page_test.cjs "$address" "$work" "$shots" "${CHROMIUM:-$(command -v chromium)}"
