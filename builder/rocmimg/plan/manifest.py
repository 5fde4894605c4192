"""/usr/share/rocmimg/manifest.json: what an image says of itself, whenever and wherever it was built."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from rocmimg.matrix.cell import Cell, ResolvedComponent
from rocmimg.source import as_json


def image_manifest(cell: Cell, base: str, inputs: Mapping[str, str]) -> bytes:
    """The file's content.

    ``recipe`` is the sha256 over ``inputs``. The plan's digest (the label io.rocmimg.plan) covers this file and the
    base image's id as well, so it cannot stand here.
    """
    name, _, digest = base.partition("@")
    content = {
        "schema": 1,
        "cell": cell.id,
        "target": cell.target,
        "gpu_archs": list(cell.archs),
        "variant": cell.variant,
        "version": cell.config.version,
        "base": {"name": name, "digest": digest, "cell": cell.base_cell or ""},
        "flags": dict(cell.flags),
        "components": [_component(component) for component in cell.components],
        "packages": {**cell.config.tools, **cell.config.pip},
        "recipe": f"sha256:{hashlib.sha256(json.dumps(dict(inputs), sort_keys=True).encode()).hexdigest()}",
    }
    return (json.dumps(content, indent=2, sort_keys=True) + "\n").encode()


def _component(component: ResolvedComponent) -> dict[str, object]:
    return {
        "name": component.name,
        "recipe": component.recipe.name,
        **as_json(component.source),
        "install": component.install or "",
        "options": dict(component.options),
        "tools": dict(component.tools),
    }
