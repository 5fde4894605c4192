#!/bin/sh
# A container engine in mount, process and network namespaces of its own, so that it cannot touch the host's bridge,
# firewall or mounts, and is gone as soon as this process is killed: isolated-engine.sh KIND STATE ROOT [DAEMON ARGS].
# KIND is docker or podman; it is that of the Debian root folder ROOT. STATE gets engine.sock and the data.
# shellcheck disable=SC2016  # the scripts in quotes run in the namespaces, with arguments of their own
set -eu
kind=$1 state=$2 root=$3
shift 3
mkdir -p "$state/data"

enter='
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
ln -s /state "$state"
state=/state
ip link set lo up
'
docker='
exec dockerd "$@" --data-root "$state/data" --exec-root /run/docker --pidfile /run/docker.pid -H "unix://$state/engine.sock"
'
podman='
for host in localhost 127.0.0.1; do printf "[[registry]]\nlocation = \"$host:5987\"\ninsecure = true\n"; done \
    >"$state/registries.conf"
export CONTAINERS_REGISTRIES_CONF="$state/registries.conf"
# Newer podman asks for more open files than a machine without CAP_SYS_RESOURCE may give.
printf "#!/bin/sh\nfor word; do [ ! -f \"\$word/config.json\" ] || sed -i s/1048576/%s/g \"\$word/config.json\"; done\nexec runc \"\$@\"\n" \
    "$(ulimit -Hn)" >"$state/runtime"
chmod 755 "$state/runtime"
export PODMAN_IGNORE_CGROUPSV1_WARNING=1
exec podman --root "$state/data" --runroot /run/containers --tmpdir /run/libpod --runtime "$state/runtime" \
    --cgroup-manager cgroupfs "$@" system service --time 0 "unix://$state/engine.sock"
'
case $kind in
    docker) script=$enter$docker ;;
    podman) script=$enter$podman ;;
esac
exec unshare --mount --pid --net --fork --kill-child --mount-proc sh -euc "$script" sh "$root" "$state" "$@"
