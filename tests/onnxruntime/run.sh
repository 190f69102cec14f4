#!/usr/bin/env bash
# ONNX Runtime reads every ONNX file that the tests export (all architectures, shipped networks, foreign files, single
# operators) and must give the logits of the original within 1e-5, at batches of 1, 2 and 7. Needs node, and
# onnxruntime-node or onnxruntime-web (npm install --ignore-scripts onnxruntime-node) somewhere on NODE_PATH.
#   NODE_PATH=/path/to/node_modules tests/onnxruntime/run.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
tests=${FERCLI_TESTS:-build/release/tests/fercli_tests}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
FERCLI_EXPORTS=$work "$tests" --gtest_brief=1 --gtest_filter='*Export*'
node tests/onnxruntime/compare.cjs "$work"
