#!/bin/sh
# Runs a command by mpirun on two hosts, which are made for it on this machine: two network namespaces with host names
# and addresses of their own, joined by a cable (veth). As root.
#
#   experiments/two-hosts.sh RANKS-ON-THE-FIRST RANKS-ON-THE-SECOND COMMAND…
set -eu
[ $# -ge 3 ] || { sed -n '5s/^# *//p' "$0" >&2; exit 2; }
first=$1 second=$2
shift 2
folder=$(mktemp -d)
clean_up() {
  ip netns del fercli-1 2>/dev/null || true
  ip netns del fercli-2 2>/dev/null || true
  rm -rf "$folder"
}
trap clean_up EXIT
trap 'exit 130' INT TERM
for host in 1 2; do
  ip netns add fercli-$host
  ip -n fercli-$host link set lo up
done
ip link add fercli-veth1 netns fercli-1 type veth peer name fercli-veth2 netns fercli-2
for host in 1 2; do
  ip -n fercli-$host addr add 10.213.77.$host/24 dev fercli-veth$host
  ip -n fercli-$host link set fercli-veth$host up
done

# In place of ssh: agent ADDRESS COMMAND…
cat >"$folder/agent" <<'END'
#!/bin/sh
host=${1##*.}
shift
exec ip netns exec "fercli-$host" unshare --uts sh -c "hostname fercli-$host; exec $*"
END
chmod +x "$folder/agent"

export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
ip netns exec fercli-1 unshare --uts sh -c 'hostname fercli-1; exec "$@"' sh \
  mpirun --host "10.213.77.1:$first,10.213.77.2:$second" --oversubscribe \
  --mca plm_rsh_agent "$folder/agent" --mca btl tcp,self --mca btl_tcp_if_include 10.213.77.0/24 \
  --mca oob_tcp_if_include 10.213.77.0/24 "$@"
