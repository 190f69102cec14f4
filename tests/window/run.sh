#!/usr/bin/env bash
# Opens the window of `fercli live` on a screen without a monitor, presses every key, and looks at what came of it. Needs
# Debian's xvfb, xdotool and imagemagick.
#   tests/window/run.sh [folder for screenshots]
set -euo pipefail
cd "$(dirname "$0")/../.."
fercli=$(realpath "${FERCLI:-build/release/fercli}")
shots=$(realpath -m "${1:-out/window}")
mkdir -p "$shots"
work=$(mktemp -d)
screen="" program="" p=""
trap 'for p in $program $screen; do kill "$p" 2>/dev/null || true; done; rm -rf "$work"' EXIT

fail() {
  echo "FAILED  $1" >&2
  exit 1
}

Xvfb -displayfd 3 -screen 0 1280x800x24 3>"$work/display" 2>/dev/null &
screen=$!
for _ in $(seq 50); do
  if [ -s "$work/display" ]; then break; fi
  sleep 0.2
done
DISPLAY=:$(cat "$work/display")
export DISPLAY

cd "$work"
"$fercli" live --source synthetic --attack any-to-sad --threads 1 --out session 2>log &
program=$!
for _ in $(seq 150); do
  window=$(xdotool search --name "fercli live" 2>/dev/null | head -1) || window=""
  if [ -n "$window" ]; then break; fi
  sleep 0.2
done
[ -n "${window:-}" ] || fail "no window"
sleep 3
xdotool windowfocus "$window"
press() {
  xdotool key --window "$window" "$1"
  sleep "${2:-1}"
}
look() {
  import -window "$window" "$shots/$1.png"
  [ "$(identify -format '%k' "$shots/$1.png")" -gt 1000 ] || fail "$1: the window shows no picture"
}
look attack
press h && look help
press h
press a && look bars
press b && look no-bars
press b
press e 0.2 && press m 0.2 && press d 0.2 && press plus 0.2 && press minus 0.2
press s
press r 3 && press r
press space && look paused-1 && sleep 1 && look paused-2
compare -metric AE "$shots/paused-1.png" "$shots/paused-2.png" null: 2>/dev/null || fail "the picture moves in the pause"
press space 0.5
press q
wait "$program" || fail "exit code $?"
program=
[ -s fercli-snapshot1.png ] || fail "no snapshot"
[ -s fercli-recording1.mp4 ] || fail "no recording"
[ -s session/timeline.png ] || fail "no timeline"
cat log
echo "ok      the window shows, listens and ends; screenshots in $shots"
