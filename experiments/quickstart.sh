#!/usr/bin/env bash
# From a fresh clone to a face that changes its mind: set-up, then the Happy-to-Sad attack with the shipped network on the
# shipped drawn faces. Pictures and numbers go to out/quickstart.
set -euo pipefail
cd "$(dirname "$0")/.."

./setup.sh
build/release/fercli attack happy-to-sad --minimal-eps --out out/quickstart
