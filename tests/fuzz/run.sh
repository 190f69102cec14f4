#!/usr/bin/env bash
# Fuzzes every border of the program for SECONDS each, under ASan and UBSan, and says how often each was tried.
#   tests/fuzz/run.sh SECONDS [TARGET …]
# Needs clang and its runtime (./setup.sh --fuzz installs them). The plain targets (decoder, form, head, ini, json, zip) have
# a small program, which is built in minutes; the others need all of fercli. New inputs are kept in build/fuzz/corpus,
# failures in build/fuzz/findings. Exit 1 when there was a finding.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:?usage: tests/fuzz/run.sh SECONDS [TARGET …]}
shift
plain=(decoder form head ini json zip)
targets=("$@")
[ ${#targets[@]} -gt 0 ] ||
  targets=("${plain[@]}" csv ferpack checkpoint keras onnx torchscript safetensors state-dict result picture request)

program_of() {
  local name
  for name in "${plain[@]}"; do
    if [ "$name" = "$1" ]; then echo fercli_fuzz_plain && return; fi
  done
  echo fercli_fuzz
}

cmake --preset fuzz >/dev/null
for target in "${targets[@]}"; do program_of "$target"; done | sort -u |
  while read -r program; do cmake --build build/fuzz --target "$program" </dev/null; done
# LibTorch and OpenCV keep their pools to the end of the process.
export ASAN_OPTIONS="detect_leaks=0:allocator_may_return_null=1:${ASAN_OPTIONS:-}"
export UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1:${UBSAN_OPTIONS:-}"
export OMP_NUM_THREADS=1
found=0
for target in "${targets[@]}"; do
  corpus=build/fuzz/corpus/$target findings=build/fuzz/findings/$target
  mkdir -p "$corpus" "$findings"
  cp -n tests/corpus/* "$corpus"/
  status=0
  FERCLI_FUZZ_TARGET=$target FERCLI_FUZZ_SEEDS=$corpus "build/fuzz/tests/fuzz/$(program_of "$target")" \
    -max_total_time="$seconds" -timeout=20 -rss_limit_mb=3000 -max_len=200000 -print_final_stats=1 \
    -artifact_prefix="$findings/" "$corpus" >"$findings/log" 2>&1 || status=$?
  executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$findings/log")
  echo "$target: ${executions:-unknown} executions in $seconds s, $([ $status -eq 0 ] && echo no finding || echo "FINDING (see $findings)")"
  [ $status -eq 0 ] || found=1
done
exit $found
