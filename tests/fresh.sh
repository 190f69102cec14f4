#!/usr/bin/env bash
# For maintainers: what a new user's machine makes of the committed project. Makes a minimal Debian by debootstrap, clones
# the project into it and runs the README's two commands there, or others.
#   sudo tests/fresh.sh                        Debian 12 (bookworm), experiments/quickstart.sh and tests/run.sh
#   sudo tests/fresh.sh --suite trixie         another release
#   sudo tests/fresh.sh 'COMMAND' …            other commands, each in the root of the clone
#   sudo tests/fresh.sh --user …               as an ordinary user with sudo, in a folder with spaces and accents
#   sudo tests/fresh.sh --no-sudo …            as an ordinary user without
#   sudo tests/fresh.sh --keep FOLDER …        keeps the machine, and uses it again the next time
#   sudo tests/fresh.sh --mount FOLDER …       shows a folder of this machine there, under the same name, to be read
#   sudo tests/fresh.sh --mirror URL …         where the packages come from (default: where this machine has them from)
# Ends with the times, and with the exit status of the first command that fails.
set -euo pipefail

fail() {
  echo "fresh.sh: $*" >&2
  exit 2
}

suite=bookworm folder='' mirror='' account=root shown=''
while [ $# -gt 0 ]; do
  case $1 in
    --suite | --keep | --mirror | --mount)
      [ $# -ge 2 ] || fail "$1 needs a value"
      case $1 in
        --suite) suite=$2 ;;
        --keep) folder=$2 ;;
        --mirror) mirror=$2 ;;
        --mount) shown=$(realpath -e "$2") ;;
      esac
      shift
      ;;
    --user) account=sudo ;;
    --no-sudo) account=plain ;;
    -h | --help)
      sed -n '2,12s/^# \{0,1\}//p' "$0"
      exit 0
      ;;
    -*) fail "there is no option $1" ;;
    *) break ;;
  esac
  shift
done
[ $# -gt 0 ] || set -- experiments/quickstart.sh tests/run.sh
[ "$(id -u)" -eq 0 ] || fail "only root can make such a machine"
command -v debootstrap >/dev/null || fail "the package debootstrap is missing"
project=$(git -C "$(dirname "$0")" rev-parse --show-toplevel)

made_here=''
if [ -z "$folder" ]; then
  folder=$(mktemp -d "${TMPDIR:-/var/tmp}/fresh.XXXXXX")
  made_here=$folder
fi
# The mounts below live in a name space of their own, so that there is nothing else under the folder by now.
trap '[ -z "$made_here" ] || rm -rf --one-file-system "$made_here"' EXIT
mkdir -p "$folder"
folder=$(realpath "$folder")

# --- the machine ------------------------------------------------------------------------------------------------------

make_machine() {
  if [ -z "$mirror" ]; then
    # shellcheck disable=SC2016  # apt-get's own variables
    mirror=$(apt-get indextargets --format '$(ORIGIN) $(REPO_URI)' 'Created-By: Packages' | awk '$1 == "Debian" {print $2; exit}')
  fi
  [ -n "$mirror" ] || fail "this machine has no Debian packages; give --mirror URL"
  echo "fresh.sh: makes a minimal $suite in $folder"
  debootstrap --variant=minbase "$suite" "$folder" "$mirror" >"$folder.log" 2>&1 ||
    fail "debootstrap failed: $(tail -n 3 "$folder.log")"
  rm -f "$folder.log"
  printf 'deb %s %s main\n' "$mirror" "$suite" "$mirror" "$suite-updates" >"$folder/etc/apt/sources.list"
  # How this machine reaches the network; nothing that the project should bring.
  apt-config dump | grep -E '^Acquire::https?::' >"$folder/etc/apt/apt.conf.d/90fresh" || true
  cp -L /etc/resolv.conf /etc/hosts "$folder/etc/" 2>/dev/null || true
  if [ -d /usr/local/share/ca-certificates ]; then cp -r /usr/local/share/ca-certificates "$folder/usr/local/share/"; fi
  touch "$folder/.fresh-machine"
}

# Written last, so that a machine made in part is made anew.
[ -e "$folder/.fresh-machine" ] || make_machine

# --- the commands -----------------------------------------------------------------------------------------------------

home=/root
if [ "$account" != root ]; then home=/home/visitor; fi
clone="$home/clone"
if [ "$account" != root ]; then clone="$home/fer à l'essai"; fi

# Runs a command in the machine as root, its own mounts around it.
inside() {
  # shellcheck disable=SC2016  # the inner shell's own variables
  unshare --mount --propagation private bash -c '
    root=$1 shown=$2
    shift 2
    mount --rbind /proc "$root/proc" && mount --rbind /sys "$root/sys" && mount --rbind /dev "$root/dev"
    if [ -n "$shown" ]; then mkdir -p "$root$shown" && mount --bind -o ro "$shown" "$root$shown"; fi
    exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb LANG=C.UTF-8 HOME=/root \
      chroot "$root" "$@"' inside "$folder" "$shown" "$@" </dev/null
}

prepare_account() {
  [ "$account" != root ] || return 0
  inside sh -c 'id visitor >/dev/null 2>&1 || useradd --create-home --shell /bin/bash visitor'
  rm -f "$folder/etc/sudoers.d/visitor"
  if [ "$account" = sudo ]; then
    inside sh -c 'command -v sudo >/dev/null || { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends sudo; }' >/dev/null
    echo 'visitor ALL=(ALL) NOPASSWD: ALL' >"$folder/etc/sudoers.d/visitor"
  fi
}

in_clone() {
  # shellcheck disable=SC2016
  local line='cd "$1" && eval "$2"'
  if [ "$account" = root ]; then
    inside bash -c "$line" in_clone "$clone" "$1"
  else
    inside setpriv --reuid visitor --regid visitor --init-groups env HOME="$home" bash -c "$line" in_clone "$clone" "$1"
  fi
}

prepare_account
rm -rf --one-file-system "${folder:?}$clone"
git clone -q "$project" "$folder$clone"
if [ "$account" != root ]; then inside chown -R visitor: "$clone"; fi

times=''
for command in "$@"; do
  echo "fresh.sh: $suite, as ${account/plain/user without sudo}: $command"
  start=$SECONDS status=0
  in_clone "$command" || status=$?
  times+="fresh.sh: $suite: $command: exit $status after $((SECONDS - start)) s"$'\n'
  [ "$status" -eq 0 ] || break
done
printf '%s' "$times"
exit "$status"
