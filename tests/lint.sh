#!/usr/bin/env bash
# Format, static analysis, shell scripts, spelling, manual pages, and the commands that texts show.
#   tests/lint.sh              clang-tidy looks at the sources that changed since the last commit of origin/main, at most 8
#   tests/lint.sh --all        clang-tidy looks at all sources (an hour or more)
#   tests/lint.sh --install    first installs the programs that are missing, where that can be done without asking
# A check whose program is missing is skipped, and said so. Manual pages and commands need the built program.
set -euo pipefail
cd "$(dirname "$0")/.."

# One source, for xargs: TIDY_FLAGS has one flag a line.
if [ "${1:-}" = --tidy-one ]; then
  mapfile -t flags <<<"${TIDY_FLAGS:-}"
  if output=$(clang-tidy-14 --quiet "$2" -- "${flags[@]}" -std=c++17 -w 2>&1); then exit 0; fi
  printf '%s: clang-tidy\n%s\n' "$2" "$output"
  exit 1
fi

everything=no install=no
failed=()
skipped=()
for word in "$@"; do
  case $word in
    --all) everything=yes ;;
    --install) install=yes ;;
    *) echo "tests/lint.sh: $word: unknown option (known: --all, --install)" >&2; exit 2 ;;
  esac
done

# Formats and findings differ between versions of clang, so one is used.
clang=14
packages=("clang-format-$clang" "clang-tidy-$clang" shellcheck groff-base)
if [ $install = yes ]; then
  as_root=()
  [ "$(id -u)" -eq 0 ] || as_root=(sudo -n)
  for package in "${packages[@]}"; do
    if dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed'; then continue; fi
    if ! DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -q --no-install-recommends "$package" >/dev/null 2>&1; then
      echo "tests/lint.sh: $package cannot be installed here"
    fi
  done
fi

# check NAME PROGRAM COMMAND…: runs the command if the program is there, and remembers how it went.
check() {
  local name=$1 program=$2 start=$SECONDS
  shift 2
  if ! command -v "$program" >/dev/null; then
    skipped+=("$name ($program is missing)")
    return
  fi
  if "$@"; then
    echo "$name: clean ($((SECONDS - start)) s)"
  else
    failed+=("$name")
    echo "$name: FAILED ($((SECONDS - start)) s)"
  fi
}

mapfile -t sources < <(git ls-files --cached --others --exclude-standard '*.cpp' '*.hpp' | while read -r file; do [ ! -e "$file" ] || echo "$file"; done)
mapfile -t scripts < <(git ls-files --cached --others --exclude-standard '*.sh' .ci/run)
mapfile -t texts < <(git ls-files --cached --others --exclude-standard '*.md' | grep -v '^results/reports/\|^tests/golden/reference/')
mapfile -t helps < <(git ls-files 'tests/golden/*.txt')

check_format() { printf '%s\0' "${sources[@]}" | xargs -0 -n 40 -P "$(nproc)" "clang-format-$clang" --dry-run -Werror; }

check_scripts() { shellcheck "${scripts[@]}"; }

check_spelling() {
  local pattern advice found status=0
  while IFS=$'\t' read -r pattern advice; do
    case $pattern in '#'* | '') continue ;; esac
    if found=$(grep -nE -- "$pattern" "${texts[@]}" "${helps[@]}"); then
      printf '%s\n' "$found" "  write: $advice"
      status=1
    fi
  done <tests/spelling.txt
  return $status
}

program=build/release/fercli
manual=build/release/man

check_commands() { "$program" docs check "${texts[@]}" "$manual"/*.1; }

check_manual() {
  local page output status=0
  for page in "$manual"/*.1; do
    output=$(groff -ww -man -Tutf8 -z "$page" 2>&1) || status=1
    if [ -n "$output" ]; then
      echo "$page: $output"
      status=1
    fi
  done
  return $status
}

# What changed since origin/main, or in the last commit where that is where we stand.
changed_sources() {
  local base
  base=$(git merge-base HEAD origin/main 2>/dev/null || true)
  if [ -z "$base" ] || { [ "$base" = "$(git rev-parse HEAD)" ] && git diff --quiet HEAD; }; then
    base=$(git rev-parse --verify -q HEAD~1 || git rev-parse HEAD)
  fi
  { git diff --name-only "$base" -- 'src/*.cpp' 'attacks/*.cpp'; git ls-files --others --exclude-standard 'src/*.cpp' 'attacks/*.cpp'; } |
    while read -r file; do [ ! -e "$file" ] || echo "$file"; done
}

# The sources are compiled several at a time; clang-tidy sees each by itself, with the flags that any of them has.
check_tidy() {
  local flags files=() most=8
  flags=$(grep -E '"command": .*(fercli_objects|CMakeFiles/fercli\.dir)' build/release/compile_commands.json | tr ' ' '\n' | sed 's/\\\\\\"/"/g' |
    awk '/^-isystem$/ { getline path; $0 = "-isystem" path } /^-(I|D|isystem)/ && !seen[$0]++ { print }')
  if [ "$everything" = yes ]; then
    mapfile -t files < <(printf '%s\n' "${sources[@]}" | grep '^\(src\|attacks\)/.*\.cpp$')
  else
    mapfile -t files < <(changed_sources)
    if [ ${#files[@]} -gt "$most" ]; then
      skipped+=("clang-tidy of $((${#files[@]} - most)) more changed sources (--all looks at every one)")
      files=("${files[@]:0:most}")
    fi
  fi
  [ ${#files[@]} -gt 0 ] || return 0
  printf '%s\0' "${files[@]}" | TIDY_FLAGS=$flags xargs -0 -n 1 -P "$(nproc)" tests/lint.sh --tidy-one
}

check "clang-format" "clang-format-$clang" check_format
check "shellcheck" shellcheck check_scripts
check "spelling" grep check_spelling
check "commands in texts" "$program" check_commands
if [ -d "$manual" ]; then check "manual pages" groff check_manual; else skipped+=("manual pages (not built)"); fi
if [ -e build/release/compile_commands.json ]; then
  check "clang-tidy" "clang-tidy-$clang" check_tidy
else
  skipped+=("clang-tidy (nothing is configured in build/release)")
fi

for name in "${skipped[@]}"; do echo "skipped: $name"; done
if [ ${#failed[@]} -gt 0 ]; then
  printf 'lint: failed: %s\n' "${failed[*]}" >&2
  exit 1
fi
echo "lint: clean"
