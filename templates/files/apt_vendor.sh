#!/usr/bin/env bash
# Debian packages of a vendor's own archive, of which nothing but they stay.
#
# usage: apt_vendor.sh KEY-URL ARCHIVE-URL "CODENAME COMPONENT" PACKAGE...
set -euo pipefail

key=$1 archive=$2 suite=$3
shift 3
# With a mirror of the distribution, this step reads a copy of apt's configuration.
list=${rocmimg_apt:-/etc/apt}/sources.list.d/vendor.list
trap 'rm -f "$list" /tmp/vendor.asc' EXIT
curl --fail --silent --show-error --location --retry 5 --retry-all-errors --output /tmp/vendor.asc "$key"
echo "deb [arch=amd64 signed-by=/tmp/vendor.asc] $archive $suite" > "$list"
apt-get update
apt-get install -y --no-install-recommends "$@"
rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb
