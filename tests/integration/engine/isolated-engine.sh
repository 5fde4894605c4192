#!/bin/sh
# A container engine in mount, process and network namespaces of its own, so that it cannot touch the host's bridge,
# firewall or mounts, and is gone as soon as this process is killed: isolated-engine.sh KIND STATE ROOT [DAEMON ARGS].
# KIND docker runs the dockerd of the Debian root folder ROOT, podman the host's; STATE gets engine.sock and the data.
# shellcheck disable=SC2016  # the scripts in quotes run in the namespaces, with arguments of their own
set -eu
kind=$1 state=$2 root=$3
shift 3
mkdir -p "$state/data"

docker='
root=$1 state=$2; shift 2
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
mkdir -p "$root/state" "$root/old"
mount --bind "$state" "$root/state"
[ ! -f "$state/data.size" ] || mount -t tmpfs -o "size=$(cat "$state/data.size")" tmpfs "$root/state/data"
cd "$root"
pivot_root . old
umount -l /old
ip link set lo up
exec dockerd "$@" --data-root /state/data --exec-root /run/docker --pidfile /run/docker.pid -H unix:///state/engine.sock
'
podman='
root=$1 state=$2; shift 2
mount -t tmpfs tmpfs /run
ip link set lo up
printf "[[registry]]\nlocation = \"localhost:5987\"\ninsecure = true\n" >"$state/registries.conf"
export CONTAINERS_REGISTRIES_CONF="$state/registries.conf"
exec podman --root "$state/data" --runroot "$state/run" --tmpdir "$state/tmp" --runtime runc \
    --cgroup-manager cgroupfs system service --time 0 "unix://$state/engine.sock"
'
case $kind in
    docker) script=$docker ;;
    podman) script=$podman ;;
esac
exec unshare --mount --pid --net --fork --kill-child --mount-proc sh -euc "$script" sh "$root" "$state" "$@"
