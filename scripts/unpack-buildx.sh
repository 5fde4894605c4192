#!/bin/sh
# Debian testing's buildx, unpacked once into the cache: a peer for the benchmarks and tests, no part of the product.
# Prints the path of a program that runs it as `docker-buildx`, without the docker command line.
set -eu

root=${ROCMIMG_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/rocmimg}/buildx
program=$root/docker-buildx
if [ ! -x "$program" ]; then
    part=$root.$$
    rm -rf "$part"
    trap 'rm -rf "$part"' EXIT
    mkdir -p "$part"
    mmdebstrap --quiet --variant=extract --aptopt='Acquire::Check-Valid-Until "false"' \
        --include=docker-buildx,libc6 testing "$part/root" >&2
    # Its C library comes along: testing's is newer than most.
    cat >"$part/docker-buildx" <<EOF
#!/bin/sh
lib=$root/root/usr/lib/x86_64-linux-gnu
exec "\$lib/ld-linux-x86-64.so.2" --library-path "\$lib" "$root/root/usr/libexec/docker/cli-plugins/docker-buildx" "\$@"
EOF
    chmod 755 "$part/docker-buildx"
    rm -rf "$root"
    mv "$part" "$root"
fi
echo "$program"
