#!/bin/sh
# Install Debian packages that are missing: apt-install.sh PACKAGE...
# Does nothing, in milliseconds, where all are there. Needs root and apt-get where one is not; exit code 1 without.
set -eu

missing=
for package in "$@"; do
    case $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true) in
        installed) ;;
        *) missing="$missing $package" ;;
    esac
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
    echo "setup: this machine has no apt-get; install by hand:$missing" >&2
    exit 1
fi
if [ "$(id -u)" != 0 ]; then
    echo "setup: not root; run: sudo apt-get install --no-install-recommends$missing" >&2
    exit 1
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt() {
    DEBIAN_FRONTEND=noninteractive apt-get -qq -o Acquire::Retries=3 -o DPkg::Lock::Timeout=120 "$@" >"$log" 2>&1
}
install_all() {
    # shellcheck disable=SC2086  # a list of package names
    apt install --yes --no-install-recommends $missing
}

echo "setup: installing$missing" >&2
# A fresh machine has no package lists, an old one has stale ones: refresh only when the first try fails.
for pause in 0 2 10; do
    sleep "$pause"
    if install_all; then
        exit 0
    fi
    apt update || true
done
if ! install_all; then
    echo "setup: apt-get could not install$missing:" >&2
    tail -n 15 "$log" >&2
    exit 1
fi
