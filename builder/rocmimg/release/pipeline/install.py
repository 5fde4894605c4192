"""How a job gets rocmimg: into a virtual environment, or out of an image."""

from __future__ import annotations

import re
import shlex
from typing import Final

from rocmimg.errors import ConfigError

VENV: Final = ".rocmimg/venv"
"""Below the folder that is no source of any build, as a context may be the whole checkout."""
_UV: Final = ".rocmimg/uv"
_IMAGE: Final = "image:"
_FROM_SOURCE: Final = f"""\
if python3 -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  python3 -m venv {VENV}
elif python3 -m venv {_UV} 2>/dev/null; then
  {_UV}/bin/pip install --quiet uv  # brings a Python where the machine's own is older than 3.11
  {_UV}/bin/uv venv --quiet --seed --python 3.12 {VENV}
else
  echo "rocmimg needs python3 with venv; on Debian and Ubuntu: apt-get install python3-venv" >&2
  exit 1
fi
{VENV}/bin/pip install --quiet @PLACE@
"""
# A program of the same name runs it in the image, with what it needs of the machine: the engine, the credentials of its
# registries, the folder, GPUs, the variables of the CI. Git is told to trust the folder's owner.
_FROM_IMAGE: Final = f"""\
docker pull --quiet @PLACE@
mkdir -p {VENV}/bin
cat > {VENV}/bin/rocmimg <<'END'
#!/bin/sh
set -eu
set -- @PLACE@ "$@"
export ROCMIMG_CACHE="${{ROCMIMG_CACHE:-$PWD/.rocmimg/cache}}"
for name in $(env | sed -n 's/^\\(\\(ROCMIMG\\|GITHUB\\|CI\\|BUILDKITE\\|SIGNING\\)_[A-Z_]*\\)=.*/\\1/p'); do
  set -- --env "$name" "$@"
done
for device in /dev/kfd /dev/dri; do
  if [ -e "$device" ]; then set -- --device "$device" "$@"; fi
done
if [ -n "${{GITHUB_STEP_SUMMARY:-}}" ]; then
  summary=$(dirname "$GITHUB_STEP_SUMMARY")
  set -- --volume "$summary:$summary" "$@"
fi
config=${{DOCKER_CONFIG:-$HOME/.docker}}
socket=${{DOCKER_HOST:-unix:///var/run/docker.sock}}
mkdir -p "$config"
exec docker run --rm --network host --entrypoint rocmimg --volume "$PWD:$PWD" --workdir "$PWD" \\
  --volume "$config:/docker-config:ro" --env DOCKER_CONFIG=/docker-config \\
  --volume "${{socket#unix://}}:/var/run/docker.sock" --env DOCKER_HOST=unix:///var/run/docker.sock \\
  --env GIT_CONFIG_COUNT=1 --env GIT_CONFIG_KEY_0=safe.directory --env GIT_CONFIG_VALUE_0='*' "$@"
END
chmod +x {VENV}/bin/rocmimg
"""


def install(place: str, *, pictures: bool = False) -> str:
    """A script for any shell, after which ``VENV/bin/rocmimg`` is there; ``pictures`` brings what draws those of pages.

    ``place`` is a wheel or a folder of the repository, ``git+https://...@COMMIT``, or ``image:REFERENCE``.

    Raises:
        ConfigError: it is none of these.
    """
    if place.startswith(_IMAGE):
        reference = place.removeprefix(_IMAGE)
        if re.fullmatch(r"[\w.:/-]+(:[\w.-]+|@sha256:[0-9a-f]{64})", reference):
            return _FROM_IMAGE.replace("@PLACE@", reference)
    elif (
        re.fullmatch(r"git\+(https|ssh)://[^\s@]+(@[^\s@]+)?@[^\s@]+", place)
        or place.endswith(".whl")
        or place in (".", "..")
        or place.startswith(("./", "../"))
    ):
        named = f"rocmimg[html] @ {place}" if place.startswith("git+") else f"{place}[html]"
        return _FROM_SOURCE.replace("@PLACE@", shlex.quote(named if pictures else place))
    raise ConfigError(
        f"--rocmimg {place}: a job cannot get rocmimg from there",
        next_step="name a wheel (tools/rocmimg.whl) or folder (./tools/rocmimg) of your repository, "
        "git+https://...@COMMIT, or image:REFERENCE with a tag or a digest",
    )
