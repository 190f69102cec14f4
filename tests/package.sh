#!/usr/bin/env bash
# Makes the Debian packages and tries them on a bare Debian, where an ordinary user attacks a face from an empty folder. Run as root.
#   tests/package.sh               packages in build/package; the bare machine is made in a temporary folder and removed
#   tests/package.sh --root DIR    keeps the bare machine there, which makes the next run quicker
#   tests/package.sh --debs DIR    tries packages that were made before
# Needs debootstrap and dpkg-dev, and lintian to check the packages. BARE_SUITE names another release than this machine's.
set -euo pipefail
cd "$(dirname "$0")/.."

root="" debs="" keep=no
while [ $# -gt 0 ]; do
  case $1 in
    --root) root=${2:?tests/package.sh: --root needs a folder} keep=yes; shift 2 ;;
    --debs) debs=${2:?tests/package.sh: --debs needs a folder}; shift 2 ;;
    *) echo "tests/package.sh: $1: unknown option (known: --root, --debs)" >&2; exit 2 ;;
  esac
done
[ "$(id -u)" -eq 0 ] || { echo "tests/package.sh: only root can make a bare machine" >&2; exit 2; }
for program in debootstrap dpkg-shlibdeps; do
  command -v "$program" >/dev/null || { echo "tests/package.sh: $program is missing: apt-get install debootstrap dpkg-dev" >&2; exit 2; }
done

step() { printf '\n== %s\n' "$*"; }

if [ -z "$debs" ]; then
  step "packages"
  cmake --preset package
  cmake --build --preset package
  rm -f build/package/*.deb
  (cd build/package && cpack -G DEB)
  debs=build/package
fi
program_deb=$(find "$debs" -maxdepth 1 -name 'fercli_*.deb' | sort | tail -1)
dev_deb=$(find "$debs" -maxdepth 1 -name 'fercli-dev_*.deb' | sort | tail -1)
[ -n "$program_deb" ] || { echo "tests/package.sh: $debs: holds no fercli_*.deb" >&2; exit 1; }
dpkg-deb --info "$program_deb"

if command -v lintian >/dev/null; then
  step "lintian"
  lintian --fail-on error --allow-root "$program_deb" ${dev_deb:+"$dev_deb"}
else
  echo "skipped: lintian is missing"
fi

step "a bare machine"
# shellcheck source=/dev/null
suite=${BARE_SUITE:-$(. /etc/os-release && echo "$VERSION_CODENAME")}
[ -n "$root" ] || root=$(mktemp -d /var/tmp/package-test.XXXXXX)
mounts=()
finish() {
  local place
  for place in "${mounts[@]}"; do umount -l "$place" 2>/dev/null || true; done
  [ $keep = yes ] || rm -rf --one-file-system "$root"
}
trap finish EXIT
if [ ! -e "$root/etc/debian_version" ]; then
  mkdir -p "$root"
  # The archive that this machine itself uses.
  # shellcheck disable=SC2016  # apt fills in $(SITE)
  archive=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | sort -u | grep -E '/debian/?$' | sed -n 1p)
  [ -n "$archive" ] || { echo "tests/package.sh: this machine has no Debian archive among its sources" >&2; exit 1; }
  debootstrap --variant=minbase "$suite" "$root" "$archive" >"$root.log" 2>&1 || { tail -5 "$root.log" >&2; exit 1; }
  rm -f "$root.log"
  for file in /etc/apt/apt.conf.d/*proxy* /etc/resolv.conf; do
    [ ! -e "$file" ] || cp -a --parents "$file" "$root/"
  done
fi
for place in proc sys dev; do
  mount --rbind "/$place" "$root/$place"
  mount --make-rslave "$root/$place"
  mounts+=("$root/$place")
done

# within COMMAND: as root on the bare machine.
within() {
  env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb LANG=C.UTF-8 \
    DEBIAN_FRONTEND=noninteractive chroot "$root" /bin/bash -euc "$1" </dev/null
}
# as_user COMMAND: as an ordinary user in an empty folder.
as_user() { within "rm -rf /home/tester/empty && install -d -o tester /home/tester/empty && su tester -s /bin/bash -c 'cd ~/empty && $1'"; }

within "id tester >/dev/null 2>&1 || useradd --create-home tester; rm -rf /packages; mkdir /packages"
cp "$program_deb" ${dev_deb:+"$dev_deb"} "$root/packages/"

step "apt install ./fercli_*.deb"
within "apt-get update -q && apt-get purge -y -q fercli fercli-dev >/dev/null 2>&1 || true
        cd /packages && apt-get install -y -q --no-install-recommends ./fercli_*.deb"
within "! dpkg -s fercli-dev >/dev/null 2>&1"

step "fercli attack happy-to-sad, by an ordinary user"
as_user "fercli attack happy-to-sad && test -s out/happy-to-sad/adversarial_attack.png && test -s out/happy-to-sad/result.json"
as_user "fercli version && fercli help && fercli eval --model robust --quiet"

step "documents"
within "for file in man/man1/fercli-attack.1.gz man/man1/fercli-data-stats.1.gz doc/fercli/copyright doc/fercli/changelog.gz \
                    doc/fercli/changelog.Debian.gz bash-completion/completions/fercli; do
          grep -q /usr/share/\$file < <(dpkg -L fercli) || { echo \"not in the package: \$file\" >&2; exit 1; }
        done
        . /usr/share/bash-completion/completions/fercli && complete -p fercli"

if [ -n "$dev_deb" ]; then
  step "a program that uses fercli-dev"
  within "cd /packages && apt-get install -y -q --no-install-recommends ./fercli-dev_*.deb g++ cmake make"
  rm -rf "$root/home/tester/consumer" && cp -r tests/package "$root/home/tester/consumer" && within "chown -R tester /home/tester/consumer"
  as_user "cmake -S ~/consumer -B . && cmake --build . && ./consumer /usr/share/fercli/faces/Happy/0001.png"

  step "a plug-in built with fercli-dev"
  rm -rf "$root/home/tester/plugin" && cp -r experiments/plugin "$root/home/tester/plugin" && within "chown -R tester /home/tester/plugin"
  as_user "cmake -S ~/plugin -B . && cmake --build . && fercli --plugin random_points.so attacks random-points"
fi

step "removal leaves nothing"
within "apt-get purge -y -q fercli ${dev_deb:+fercli-dev} >/dev/null && ! find /usr -path '*fercli*' | grep -q ."
echo
echo "package: works"
