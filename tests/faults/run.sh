#!/usr/bin/env bash
# What killed runs, full disks and signals do to results. For maintainers: it takes a while, and is no part of the suite.
#
#     tests/faults/run.sh [KILLS [FERCLI]]
#
# KILLS (100) times a run is killed with SIGKILL at a random moment, spread over training, adversarial training, eval with
# AutoAttack, report, data convert and merge. After every few kills the run goes on to its end, and what it wrote is
# compared with an undisturbed run; paths, times and the machine's description are left out. Then: SIGINT, SIGTERM and
# SIGHUP; a clock that jumps by days, both ways, in the middle of a run (with a C compiler); tiny file systems, read-only
# ones and ones that become read-only in the middle of a run (as root, in a mount namespace of their own); /dev/full. Ends
# with 1 when anything differs, and prints the counts either way. SEED (1) chooses the moments. FAULTS names some of
# train, adversarial, eval, report, convert, merge, signals, clock and disks, in place of all: KILLS are spread over them.
set -uo pipefail

kills=${1:-100}
read -ra parts <<< "${FAULTS:-train adversarial eval report convert merge signals clock disks}"
fercli=${2:-$(cd "$(dirname "$0")/../.." && pwd)/build/release/fercli}
RANDOM=${SEED:-1}
work=$(mktemp -d /tmp/fercli-faults-XXXXXX)
trap 'rm -rf "$work"' EXIT
export OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive

checks=0 failures=0 killed=0 finished_before=0 skipped=0
check() {  # WHAT COMMAND…
  local what=$1
  shift
  checks=$((checks + 1))
  if "$@"; then return 0; fi
  failures=$((failures + 1))
  echo "FAILED: $what"
}
now_ms() { date +%s%3N; }

# ---- what is compared ------------------------------------------------------------------------------------------------

# A JSON result without what may differ: times, paths, the machine, and what the options say of them.
plain_json() {
  python3 - "$1" <<'PY'
import json, sys
LEFT_OUT = {"seconds", "images_per_second", "timing", "environment", "options", "created", "started", "wall_s", "file"}
def plain(value):
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items() if k not in LEFT_OUT and not k.startswith("seconds")}
    if isinstance(value, list):
        return [plain(v) for v in value]
    return value
print(json.dumps(plain(json.load(open(sys.argv[1]))), sort_keys=True))
PY
}

# The weights alone, as another format writes them; history.csv without its column of seconds.
digest_train() {
  local net
  for net in best last; do
    rm -f "$work/net.safetensors"
    "$fercli" export -m "$1/$net.pt" --format safetensors --out "$work/net.safetensors" > /dev/null || return 1
    sha256sum < "$work/net.safetensors"
  done
  python3 -c '
import csv, sys
for row in csv.DictReader(open(sys.argv[1])):
    row.pop("seconds"); print(sorted(row.items()))' "$1/history.csv" | sha256sum
}
digest_eval() { plain_json "$1/result.json" | sha256sum; }
digest_report() { plain_json "$1/report.json" | sha256sum; }
digest_convert() { (cd "$1" && find . -type f ! -name '.*' -print0 | sort -z | xargs -0 sha256sum) | sha256sum; }

# ---- the runs --------------------------------------------------------------------------------------------------------

data=synthetic:n=140,seed=5
start_train() { "$fercli" train -d "$data" --arch small-cnn -e 6 -b 16 --save-every 0 --threads 1 -q --resume --out "$1"; }
start_adversarial() { start_train_with "$1" --adversarial --robust-images 14 --robust-steps 2; }
start_train_with() {
  local out=$1
  shift
  "$fercli" train -d "$data" --arch small-cnn -e 3 -b 16 --save-every 0 --threads 1 -q --resume --out "$out" "$@"
}
start_eval() {
  "$fercli" eval -m "$work/net.pt" -d synthetic:n=28,seed=7 --split all --attacks autoattack --eps 1/255,4/255 \
    --threads 1 -q --out "$1"
}
start_report() {
  "$fercli" report -m "$work/net.pt" -d synthetic:n=28,seed=7 --split all --parts clean,robustness,corruptions \
    --threads 1 -q --out "$1"
}
start_convert() { "$fercli" data convert synthetic:n=400,seed=7 "$1/set" --force; }
digest_adversarial() { digest_train "$1"; }
# Its shards are made once; a merge is killed, and starts again beside what the killed one left.
make_shards() {
  local shard
  for shard in 1 2 3; do
    "$fercli" eval -m "$work/net.pt" -d synthetic:n=28,seed=7 --split all --attacks pgd --eps 1/255,4/255 --threads 1 -q \
      --shard "$shard/3" --out "$1" > /dev/null || return 1
  done
}
start_merge() {
  [ -e "$1/shards" ] || cp -r "$work/sharded/." "$1"
  "$fercli" merge "$1"
}
digest_merge() { digest_eval "$1"; }

is_wanted() {  # PART
  local part
  for part in "${parts[@]}"; do
    [ "$part" != "$1" ] || return 0
  done
  return 1
}

# Kills the run NAME in its folder after a random share of its usual time.
kill_once() {  # NAME FOLDER MILLISECONDS
  local delay=$((RANDOM % ($3 + 1))) child
  "start_$1" "$2" > /dev/null 2> "$work/err" &
  child=$!
  sleep "$(printf '%d.%03d' $((delay / 1000)) $((delay % 1000)))"
  # The shell function runs in a subshell: the program is its child.
  local program
  program=$(pgrep -P "$child" | head -1)
  if [ -n "$program" ] && kill -9 "$program" 2> /dev/null; then
    killed=$((killed + 1))
  else
    finished_before=$((finished_before + 1))
  fi
  wait "$child" 2> /dev/null
}

no_leftovers() { [ -z "$(find "$1" -name '*.part*' -o -name '*.lock' | head -1)" ]; }

kill_and_compare() {  # NAME KILLS
  local name=$1 wanted=$2 started usual expected round=0
  mkdir -p "$work/$name-whole"
  started=$(now_ms)
  "start_$name" "$work/$name-whole" > /dev/null 2> "$work/err" || { check "$name runs: $(tail -1 "$work/err")" false; return; }
  usual=$(($(now_ms) - started))
  expected=$("digest_$name" "$work/$name-whole")
  local before=$killed tries=0
  while [ $((killed - before)) -lt "$wanted" ] && [ "$tries" -lt $((4 * wanted)) ]; do
    local folder=$work/$name-$round
    mkdir -p "$folder"
    for _ in 1 2 3; do
      [ $((killed - before)) -lt "$wanted" ] || break
      tries=$((tries + 1))
      kill_once "$name" "$folder" "$usual"
    done
    "start_$name" "$folder" > /dev/null 2> "$work/err"
    local code=$?
    check "$name goes on after kills: exit $code, $(tail -1 "$work/err")" [ "$code" -eq 0 ]
    check "$name equals the undisturbed run (folder $round)" [ "$("digest_$name" "$folder")" = "$expected" ]
    check "$name leaves nothing of killed runs (folder $round)" no_leftovers "$folder"
    rm -rf "$folder"
    round=$((round + 1))
  done
  echo "$name: $((killed - before)) kills in runs of about $usual ms, $round runs to their end"
}

# ---- signals ---------------------------------------------------------------------------------------------------------

# Until the program has begun to write: before that, a signal ends it as it ends any program that is still being loaded.
wait_for_files() {  # FOLDER CHILD
  until [ -n "$(ls -A "$1")" ]; do
    kill -0 "$2" 2> /dev/null || return
    sleep 0.1
  done
}

signal_and_compare() {  # NAME SIGNAL
  local folder=$work/$1-$2 child program code
  mkdir -p "$folder"
  "start_$1" "$folder" > /dev/null 2> "$work/err" &
  child=$!
  wait_for_files "$folder" "$child"
  sleep 0.2
  program=$(pgrep -P "$child" | head -1)
  if [ -n "$program" ]; then kill "-$2" "$program" 2> /dev/null; fi
  wait "$child"
  code=$?
  check "$1 ends with 130 on SIG$2, or was done: exit $code" [ "$code" -eq 130 -o "$code" -eq 0 ]
  "start_$1" "$folder" > /dev/null 2> "$work/err"
  check "$1 goes on after SIG$2: $(tail -1 "$work/err")" [ "$("digest_$1" "$folder")" = "$("digest_$1" "$work/$1-whole")" ]
}

# ---- a clock that jumps -----------------------------------------------------------------------------------------------

# A library that moves the calendar's clock by a day, forth or back, with each look at it.
make_jumping_clock() {
  command -v cc > /dev/null || return 1
  cc -shared -fPIC -O1 -o "$work/clock.so" -x c - -ldl <<'C'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/time.h>
#include <time.h>
static long looks;
static long jump(void) { return (__atomic_add_fetch(&looks, 1, __ATOMIC_RELAXED) % 3 - 1) * 86400L; }
int clock_gettime(clockid_t clock, struct timespec *now) {
  static int (*real)(clockid_t, struct timespec *);
  if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  int code = real(clock, now);
  if (!code && clock == CLOCK_REALTIME) now->tv_sec += jump();
  return code;
}
time_t time(time_t *out) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (out) *out = now.tv_sec;
  return now.tv_sec;
}
int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  struct timespec exact;
  (void)zone;
  clock_gettime(CLOCK_REALTIME, &exact);
  now->tv_sec = exact.tv_sec;
  now->tv_usec = exact.tv_nsec / 1000;
  return 0;
}
C
}

clock_and_compare() {  # NAME
  local folder=$work/$1-clock child program code
  mkdir -p "$folder"
  LD_PRELOAD="$work/clock.so" "start_$1" "$folder" > /dev/null 2> "$work/err" &
  child=$!
  wait_for_files "$folder" "$child"
  sleep 0.2
  program=$(pgrep -P "$child" | head -1)
  if [ -n "$program" ]; then kill -INT "$program" 2> /dev/null; fi
  wait "$child"
  LD_PRELOAD="$work/clock.so" "start_$1" "$folder" > /dev/null 2> "$work/err"
  code=$?
  check "$1 ends under a clock that jumps: exit $code, $(tail -1 "$work/err")" [ "$code" -eq 0 ]
  check "$1 is the same under a clock that jumps" [ "$("digest_$1" "$folder")" = "$("digest_$1" "$work/$1-whole")" ]
}

# ---- full and read-only disks ----------------------------------------------------------------------------------------

# Runs fercli in DIR on a file system of SIZE; prints its exit code and its last line.
on_tiny_disk() {  # SIZE OPTIONS COMMAND…
  local size=$1 options=$2
  shift 2
  # shellcheck disable=SC2016  # the inner shell expands them
  unshare -m bash -c '
    place=$0; size=$1; options=$2; shift 2
    mount -t tmpfs -o "size=$size" none "$place" || exit 99
    [ -z "$options" ] || mount -o "remount,$options" "$place" || exit 99
    "$@" > /dev/null 2> /tmp/fercli-faults-err.$$; code=$?
    tail -1 /tmp/fercli-faults-err.$$ >&2; rm -f /tmp/fercli-faults-err.$$
    exit $code' "$work/disk" "$size" "$options" "$@"
}

disk_check() {  # EXPECTED SIZE OPTIONS COMMAND…
  local expected=$1 size=$2 options=$3 code message
  shift 3
  message=$(on_tiny_disk "$size" "$options" "$@" 2>&1 > /dev/null)
  code=$?
  if [ "$code" -eq 99 ]; then
    skipped=$((skipped + 1))
    return
  fi
  check "fercli $2 on a disk of $size $options: exit $code, $message" [ "$code" -eq "$expected" ]
  check "fercli $2 says it in one sentence: $message" grep -q 'fercli' <<< "$message"
}

# The disk becomes read-only in the middle of a run: that is said with exit 1, and once it can be written again the run goes
# on to the same end.
remount_and_compare() {  # NAME
  # shellcheck disable=SC2016  # the inner shell expands them
  unshare -m bash -c '
    place=$0; start=$1
    mount -t tmpfs -o size=64m none "$place" || exit 99
    mkdir "$place/run"
    "$start" "$place/run" > /dev/null 2> /tmp/fercli-faults-err.$$ &
    child=$!
    wait_for_files "$place/run" "$child"
    # A file that is open for writing keeps the system from it: until it works, or the run is over.
    until mount -o remount,ro "$place" 2> /dev/null; do kill -0 "$child" 2> /dev/null || break; done
    wait "$child"; code=$?
    tail -1 /tmp/fercli-faults-err.$$; rm -f /tmp/fercli-faults-err.$$
    mount -o remount,rw "$place"
    "$start" "$place/run" > /dev/null 2>&1 || exit 98
    cp -r "$place/run" "$2"
    exit $code' "$work/disk" "start_$1" "$work/$1-remounted" > "$work/said"
  local code=$?
  if [ "$code" -eq 99 ]; then
    skipped=$((skipped + 1))
    return
  fi
  check "$1 ends with 1 on a disk that becomes read-only, or was done: exit $code, $(cat "$work/said")" \
    [ "$code" -eq 1 -o "$code" -eq 0 ]
  check "$1 goes on after that" [ "$("digest_$1" "$work/$1-remounted")" = "$("digest_$1" "$work/$1-whole")" ]
}

full_disks() {
  mkdir -p "$work/disk"
  local net=$work/net.pt face=$work/face.png
  "$fercli" attack untargeted -m "$net" -d synthetic:n=14,seed=3 --split all --min-confidence 0 --attack fgsm -q \
    --threads 1 --out "$work/attacked" > /dev/null 2>&1
  cp "$work/attacked/original.png" "$face"
  disk_check 1 16k "" "$fercli" data convert synthetic:n=140 "$work/disk/set.csv"
  disk_check 1 16k "" "$fercli" data convert synthetic:n=140 "$work/disk/set.ferpack"
  disk_check 1 16k "" "$fercli" data convert synthetic:n=140 "$work/disk/set"
  disk_check 1 16k "" "$fercli" export -m "$net" --out "$work/disk/net.onnx"
  disk_check 1 16k "" "$fercli" export -m "$net" --format torchscript --out "$work/disk/net.ts.pt"
  disk_check 1 16k "" "$fercli" export -m "$net" --format safetensors --out "$work/disk/net.safetensors"
  disk_check 1 16k "" "$fercli" eval -m "$net" -d synthetic:n=140 --split all -q --out "$work/disk/eval"
  disk_check 1 64k "" "$fercli" report -m "$net" -d synthetic:n=14 --split all --parts clean -q --out "$work/disk/report"
  disk_check 1 16k "" "$fercli" train -d synthetic:n=70 --arch small-cnn -e 1 -q --out "$work/disk/run"
  disk_check 1 64k "" "$fercli" live -m "$net" --no-window --source synthetic:faces=1,fps=10,seconds=2 --record "$work/disk/a.avi"
  disk_check 1 64k "" "$fercli" live -m "$net" --no-window --source synthetic:faces=1,fps=10,seconds=2 --record "$work/disk/a.mp4"
  disk_check 1 4k "" "$fercli" live -m "$net" --no-window --source synthetic:faces=1,fps=10,seconds=2 --jsonl "$work/disk/a.jsonl"
  disk_check 2 1m ro "$fercli" eval -m "$net" -d synthetic:n=14 --split all -q --out "$work/disk/eval"
  disk_check 2 1m ro "$fercli" train -d synthetic:n=70 --arch small-cnn -e 1 -q --out "$work/disk/run"
  disk_check 2 1m ro "$fercli" export -m "$net" --out "$work/disk/net.onnx"
  local words
  for words in "data stats $data" "data audit $data" "attacks" "summary --arch small-cnn" "predict -m $net $face" \
    "eval -m $net -d $data --split all -q" "--help"; do
    # shellcheck disable=SC2086
    "$fercli" $words > /dev/full 2> "$work/err"
    local code=$?
    check "fercli $words > /dev/full ends with 1: exit $code, $(tail -1 "$work/err")" [ "$code" -eq 1 ]
  done
}

# ---- all of it -------------------------------------------------------------------------------------------------------

"$fercli" train -d "$data" --arch small-cnn -e 1 -q --threads 1 --out "$work/net" > /dev/null 2>&1 || exit 1
cp "$work/net/best.pt" "$work/net.pt"
count=0
for name in train adversarial eval report convert merge; do
  if is_wanted "$name"; then count=$((count + 1)); fi
done
if is_wanted merge; then make_shards "$work/sharded" || exit 1; fi
each=$(((kills + count - 1) / (count > 0 ? count : 1)))
for name in train adversarial eval report convert merge; do
  if is_wanted "$name"; then kill_and_compare "$name" "$each"; fi
done

# The runs that the others are compared with.
for name in train eval report; do
  if [ ! -e "$work/$name-whole" ] && { is_wanted signals || is_wanted clock || is_wanted disks; }; then
    mkdir -p "$work/$name-whole"
    "start_$name" "$work/$name-whole" > /dev/null 2>&1 || exit 1
  fi
done
if is_wanted signals; then
  for name in train eval report; do
    for signal in INT TERM HUP; do signal_and_compare "$name" "$signal"; done
  done
fi
if is_wanted clock; then
  if make_jumping_clock; then
    for name in train eval report; do clock_and_compare "$name"; done
  else
    skipped=$((skipped + 1))
  fi
fi
if is_wanted disks; then
  export fercli work data
  export -f start_train start_eval start_report wait_for_files
  mkdir -p "$work/disk"
  for name in train eval report; do remount_and_compare "$name"; done
  full_disks
fi
echo "$killed kills, $finished_before runs that were done before their kill, $checks checks, $failures failed, $skipped skipped"
[ "$failures" -eq 0 ]
