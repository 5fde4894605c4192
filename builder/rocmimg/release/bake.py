"""docker-bake.json: the same images for any BuildKit, be it remote or a cluster."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rocmimg.plan import LABEL_INPUTS, STORE, ImagePlan
from rocmimg.plan.export import write_contexts
from rocmimg.registry import parse

FILE = "docker-bake.json"
STORE_VARIABLE = "ROCMIMG_SCCACHE_STORE"
"""What a builder elsewhere is told of sccache's store: lines of a shell; without it, each builder has its own cache."""


def bake_file(images: Iterable[ImagePlan], *, cache: str = "") -> dict[str, Any]:
    """The file's content; contexts are relative to its folder.

    A cell that starts from another names that one's target, so that it needs no registry. ``cache`` is a repository
    that keeps the cache of every stage, one tag a cell. What only the engine knows, the base image's id, is in no label
    here: `rocmimg build` does not take such an image for its own.
    """
    images = tuple(image for image in images if not image.prebuilt)
    by_id = {image.id: image for image in images}
    targets = {}
    for image in images:
        target: dict[str, Any] = {
            "context": image.id,
            "dockerfile": image.dockerfile_name,
            "tags": list(image.cell.tags),
            "labels": {**image.labels, LABEL_INPUTS: json.dumps(image.named_inputs, sort_keys=True)},
            "platforms": ["linux/amd64"],
        }
        if image.cell.dockerfile:
            target["args"] = dict(image.build_args)
        if image.target:
            target["target"] = image.target
        if image.needs in by_id:
            target["contexts"] = {image.base: f"target:{target_name(str(image.needs))}"}
        if image.cell.config.network.engine_mode != "default":
            target["network"] = image.cell.config.network.engine_mode
        if image.with_caches and image.cell.config.cache.compiler == "sccache":
            target["secret"] = [{"type": "env", "id": STORE, "env": STORE_VARIABLE}]
        if cache:
            reference = f"{parse(cache).repository}:{image.id}"
            target["cache-from"] = [{"type": "registry", "ref": reference}]
            target["cache-to"] = [{"type": "registry", "ref": reference, "mode": "max"}]
        targets[target_name(image.id)] = target
    return {"group": {"default": {"targets": list(targets)}}, "target": targets}


def bake_command(images: Iterable[ImagePlan], folder: Path) -> str:
    """What builds them all. bake asks at the terminal before it gives a build the machine's network, and fails without
    one, unless it is told beforehand."""
    host = any(image.cell.config.network.engine_mode == "host" for image in images)
    return f"cd {shlex.quote(str(folder))} && docker buildx bake{' --allow network.host' if host else ''}"


def target_name(cell_id: str) -> str:
    """A cell's id as bake takes names."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", cell_id)


def write_bake(images: Iterable[ImagePlan], folder: Path, *, cache: str = "") -> Path:
    """Write the file and all contexts beside it.

    Raises:
        ConfigError: a context's folder holds something else.
    """
    images = tuple(images)
    for _ in write_contexts(images, folder, caches=True):
        pass
    path = folder / FILE
    path.write_text(json.dumps(bake_file(images, cache=cache), indent=2) + "\n", encoding="utf-8")
    return path
