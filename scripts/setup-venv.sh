#!/bin/sh
# Make .venv (or $VENV) with the project, editable, and its development tools, each at the version and with the hash of
# scripts/requirements.lock (or $LOCK). Does nothing, in milliseconds, where pyproject.toml, the lock and the interpreter
# are those of the last time.
set -eu

cd "$(dirname "$0")/.."
venv=${VENV:-.venv}
lock=${LOCK:-scripts/requirements.lock}
stamp=$venv/.rocmimg-stamp

wanted() {
    sha256sum pyproject.toml "$lock"
    "$venv/bin/python" -S -E -c 'import sys; print(sys.version)'
}

if [ -f "$stamp" ] && [ "$(wanted 2>/dev/null)" = "$(cat "$stamp")" ]; then
    exit 0
fi

python=
for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
    if "$candidate" -S -E -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "setup: Python 3.11 or newer is needed; $(python3 --version 2>&1 || true)" >&2
    echo "setup: install one and name it: PYTHON=/path/to/python3.12 make" >&2
    exit 1
fi

if ! "$venv/bin/python" -c 'import pip' 2>/dev/null; then
    # Debian and Ubuntu ship venv without what fills it.
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        scripts/apt-install.sh python3-venv
    fi
    echo "setup: making $venv with $("$python" --version)" >&2
    "$python" -m venv --clear "$venv"
fi

echo "setup: installing the project and its tools into $venv" >&2
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --requirement "$lock"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
wanted >"$stamp"
