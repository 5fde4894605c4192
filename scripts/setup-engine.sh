#!/bin/sh
# Make sure that a container engine answers. Where one does, or where DOCKER_HOST or a docker context names one,
# nothing is changed. Otherwise, as root on Debian or Ubuntu: install docker.io and start it.
# Exit code 5 (rocmimg's for a missing engine) where that cannot be done; the reason goes to standard error.
set -eu

here=$(dirname "$0")
socket=/var/run/docker.sock
log=/var/log/rocmimg-dockerd.log
wait_s=120

fail() {
    echo "setup: no container engine: $1" >&2
    echo "setup: $2" >&2
    exit 5
}

# python3 is there (the project needs it), curl and the docker command line may not be.
answers() {
    python3 -S -E - "$1" <<'PY' 2>/dev/null
import socket, sys
kind, _, where = sys.argv[1].partition("://")
if kind == "unix":
    link = socket.socket(socket.AF_UNIX)
    link.settimeout(5)
    link.connect(where)
else:
    host, _, port = where.partition("/")[0].rpartition(":")
    link = socket.create_connection((host.strip("[]"), int(port)), 5)
link.sendall(b"GET /_ping HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n\r\n")
sys.exit(b" 200 " not in link.recv(4096))
PY
}

reachable() {
    [ -S "$socket" ] && answers "unix://$socket"
}

case ${DOCKER_HOST:-} in
    '') ;;
    unix://* | tcp://*)
        # With TLS a plain question proves nothing; rocmimg itself asks properly.
        [ -n "${DOCKER_TLS_VERIFY:-}${DOCKER_TLS:-}" ] && exit 0
        answers "$DOCKER_HOST" && exit 0
        fail "nothing answers at DOCKER_HOST=$DOCKER_HOST" "start that engine, or unset DOCKER_HOST"
        ;;
    *) exit 0 ;;
esac
reachable && exit 0
if [ "${DOCKER_CONTEXT:-default}" != default ] ||
    grep -Eqs '"currentContext" *: *"' "${DOCKER_CONFIG:-${HOME:-/root}/.docker}/config.json"; then
    exit 0
fi

if [ -S "$socket" ] && [ "$(id -u)" != 0 ] && [ ! -w "$socket" ]; then
    fail "this user may not open $socket" "run: sudo usermod -aG docker $(id -un), then log in again"
fi
if [ "$(id -u)" != 0 ]; then
    fail "none answers at $socket, and starting one needs root" \
        "run: sudo $here/setup-engine.sh, or set DOCKER_HOST to an engine that runs"
fi
if ! command -v dockerd >/dev/null; then
    "$here/apt-install.sh" docker.io ||
        fail "dockerd is not installed" "see https://docs.docker.com/engine/install/, or set DOCKER_HOST"
fi

daemon=
if [ -d /run/systemd/system ]; then
    echo "setup: starting docker with systemctl" >&2
    systemctl start docker || fail "systemctl could not start docker" "see: journalctl -u docker"
else
    # A machine that was switched off leaves these behind, and their numbers may be somebody else's by now.
    for file in /var/run/docker.pid /var/run/docker/containerd/containerd.pid; do
        if [ -f "$file" ] && ! grep -Eqs '^(dockerd|containerd)$' "/proc/$(cat "$file")/comm"; then
            rm -f "$file"
        fi
    done
    echo "setup: starting dockerd, its log is $log" >&2
    setsid dockerd >>"$log" 2>&1 </dev/null &
    daemon=$!
fi

tries=0
until reachable; do
    tries=$((tries + 1))
    if [ "$tries" -gt $((wait_s * 5)) ] || { [ -n "$daemon" ] && ! kill -0 "$daemon" 2>/dev/null; }; then
        [ -f "$log" ] && tail -n 15 "$log" >&2
        fail "dockerd does not answer" "its last lines stand above; in a container it needs --privileged"
    fi
    sleep 0.2
done
echo "setup: the engine answers at $socket" >&2
