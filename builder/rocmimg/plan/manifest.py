"""/usr/share/rocmimg/manifest.json: what an image says of itself, whenever and wherever it was built."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from rocmimg.plan.expected import ExpectedImage


def image_manifest(expected: ExpectedImage, inputs: Mapping[str, str]) -> bytes:
    """The file's content.

    ``recipe`` is the sha256 over ``inputs``. The plan's digest (the label io.rocmimg.plan) covers this file and the
    base image's id as well, so it cannot stand here.
    """
    name, _, digest = expected.base.partition("@")
    content = {
        "schema": 1,
        "cell": expected.cell,
        "target": expected.target,
        "gpu_archs": expected.archs,
        "variant": expected.variant,
        "version": expected.version,
        "base": {"name": name, "digest": digest, "cell": expected.base_cell},
        "flags": expected.flags,
        "components": [component.as_json() for component in expected.components],
        "packages": {**expected.common_pip, **expected.pip},
        "recipe": f"sha256:{hashlib.sha256(json.dumps(dict(inputs), sort_keys=True).encode()).hexdigest()}",
    }
    return (json.dumps(content, indent=2, sort_keys=True) + "\n").encode()
