#!/usr/bin/env bash
# From a fresh clone to a face that changes its mind: set-up, then the Happy-to-Sad attack with the shipped network on the
# shipped drawn faces. Pictures and numbers go to out/quickstart.
set -euo pipefail
cd "$(dirname "$0")/.."

./setup.sh --no-advice
# In fp32, so that every CPU finds the same perturbations.
build/release/fercli attack happy-to-sad --minimal-eps --precision fp32 --out out/quickstart
cat <<'END'

Try next:
  out/quickstart                              the pictures: look at them
  build/release/fercli attack happy-to-sad --model robust    a network that is harder to fool
  build/release/fercli predict PICTURE        what it sees in a picture of yours
  build/release/fercli serve                  all of it in a web page
  tests/run.sh                                the test suite
END
