"""Bills of materials, by syft or trivy where one of them is installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Final

from rocmimg.errors import EngineError
from rocmimg.release.records import CYCLONEDX, SPDX

_TIMEOUT_S: Final = 3600
_TOOLS: Final = (
    ("syft", SPDX, ("scan", "--quiet", "--output", "spdx-json", "docker:{image}")),
    ("trivy", CYCLONEDX, ("image", "--quiet", "--format", "cyclonedx", "--image-src", "docker", "{image}")),
)


def make(image_id: str, folder: Path, name: str) -> tuple[str, bytes] | None:
    """Media type and content for an image of the engine, also written below ``folder``; None without a tool.

    Raises:
        EngineError: the tool that is there fails.
    """
    for tool, kind, arguments in _TOOLS:
        program = shutil.which(tool)
        if program is None:
            continue
        command = [program, *(part.format(image=image_id) for part in arguments)]
        try:
            done = subprocess.run(command, capture_output=True, check=False, timeout=_TIMEOUT_S)
        except subprocess.TimeoutExpired as error:
            raise EngineError(
                f"{tool} does not end", why=f"after {_TIMEOUT_S} s", next_step=f"run `{tool}` by hand"
            ) from error
        if done.returncode:
            lines = done.stderr.decode(errors="replace").strip().splitlines()
            raise EngineError(f"{tool} fails on {name}", why=lines[-1] if lines else f"exit code {done.returncode}")
        folder.mkdir(parents=True, exist_ok=True)
        suffix = "spdx" if kind == SPDX else "cdx"
        (folder / f"{name}.{suffix}.json").write_bytes(done.stdout)
        return kind, done.stdout
    return None
