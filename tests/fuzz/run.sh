#!/usr/bin/env bash
# Fuzzes every border of the program under ASan and UBSan, and says how often each was tried.
#   tests/fuzz/run.sh SECONDS [TARGET …]           so long each
#   tests/fuzz/run.sh EXECUTIONSx [TARGET …]       so often each, such as 1000000x
# Inputs are at most 200000 bytes long, or FUZZ_LENGTH (environment). Short ones and memory for TMPDIR (/dev/shm) are several
# times faster.
# Needs clang and its runtime (./setup.sh --fuzz installs them). The plain targets (decoder, form, ini, json, zip) have
# a small program, which is built in minutes; the others need all of fercli. New inputs are kept in build/fuzz/corpus,
# failures in build/fuzz/findings. Exit 1 when there was a finding.
set -euo pipefail
cd "$(dirname "$0")/../.."
extent=${1:?usage: tests/fuzz/run.sh SECONDS|EXECUTIONSx [TARGET …]}
shift
case $extent in
  *x) limit=-runs=${extent%x} ;;
  *) limit=-max_total_time=$extent ;;
esac
plain=(decoder form ini json zip)
targets=("$@")
[ ${#targets[@]} -gt 0 ] ||
  targets=("${plain[@]}" csv ferpack checkpoint keras onnx torchscript safetensors state-dict result picture head request)

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
asan=detect_leaks=0:allocator_may_return_null=1:malloc_context_size=5:quarantine_size_mb=16:allocator_release_to_os_interval_ms=-1
export ASAN_OPTIONS="$asan:${ASAN_OPTIONS:-}"
export UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1:${UBSAN_OPTIONS:-}"
export OMP_NUM_THREADS=1
# libFuzzer's own search for leaks runs inputs twice; names of new functions start a symbolizer.
options=(-timeout=20 -rss_limit_mb=3000 "-max_len=${FUZZ_LENGTH:-200000}" -entropic=0 -detect_leaks=0 -print_funcs=0 -print_final_stats=1)
found=0
for target in "${targets[@]}"; do
  corpus=build/fuzz/corpus/$target findings=build/fuzz/findings/$target
  mkdir -p "$corpus" "$findings"
  # The quadratic pickle takes a thousand times as long as others: it is for the suite.
  find tests/corpus -type f ! -name 'quad_*' -exec cp -n -t "$corpus" {} +
  status=0 started=$SECONDS
  FERCLI_FUZZ_TARGET=$target FERCLI_FUZZ_SEEDS=$corpus "build/fuzz/tests/fuzz/$(program_of "$target")" \
    "$limit" "${options[@]}" -artifact_prefix="$findings/" "$corpus" >"$findings/log" 2>&1 || status=$?
  executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$findings/log")
  echo "$target: ${executions:-unknown} executions in $((SECONDS - started)) s, $([ $status -eq 0 ] && echo no finding || echo "FINDING (see $findings)")"
  [ $status -eq 0 ] || found=1
done
exit $found
