"""AMD's GPUs as the Container Device Interface names them, where AMD's container toolkit has described them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

KIND: Final = "amd.com/gpu"
_RENDER: Final = "/dev/dri/renderD"


def specified(folders: Iterable[str]) -> dict[str, str]:
    """Render node -> name (``amd.com/gpu=0``) of each GPU that a specification in ``folders`` describes alone.

    What cannot be read is passed over, as engines do. A later folder counts more than an earlier one.
    """
    found: dict[str, str] = {}
    for folder in folders:
        for file in sorted(Path(folder).glob("*")):
            spec = _read(file) if file.suffix in {".json", ".yaml", ".yml"} else {}
            if spec.get("kind") == KIND:
                found |= dict(_alone(spec))
    return found


def names_for(renders: Sequence[str], folders: Iterable[str]) -> tuple[str, ...]:
    """What to ask for, so that a container gets the GPUs with these render nodes; empty unless each has a name."""
    known = specified(folders)
    return tuple(known[render] for render in renders) if all(render in known for render in renders) else ()


def _read(file: Path) -> dict[str, Any]:
    try:
        text = file.read_text(encoding="utf-8")
        spec = json.loads(text) if file.suffix == ".json" else yaml.safe_load(text)
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return spec if isinstance(spec, dict) else {}


def _alone(spec: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Devices with one GPU each; ``all`` and partitions of several are other things."""
    for one in spec.get("devices") or ():
        nodes = (one.get("containerEdits") or {}).get("deviceNodes") or ()
        renders = {path for node in nodes if (path := str(node.get("path"))).startswith(_RENDER)}
        if len(renders) == 1:
            yield renders.pop(), f"{KIND}={one.get('name')}"
