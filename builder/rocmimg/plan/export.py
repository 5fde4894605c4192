"""A plan's images as folders that any builder takes: a Dockerfile with its context beside it."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from rocmimg.engine.context import ContextFile
from rocmimg.errors import ConfigError
from rocmimg.plan.model import OWN_NAME, ImagePlan
from rocmimg.render.network import FOLDER
from rocmimg.terminal import holds_secrets, without_secrets


def write_contexts(images: Iterable[ImagePlan], folder: Path, *, caches: bool = False) -> Iterator[Path]:
    """Write each image to ``folder/<cell>/`` and yield the path of its Dockerfile; stale files there are removed.

    ``caches`` says whether the steps mount their caches, as in a build here; the secret that names a store of
    compiled code may be missing then.

    Passwords of the network settings are not written: such a folder is copied, archived and committed.
    A rootfs that was not made yet is left out: ``rocmimg build`` makes it. What another pipeline builds has no folder.

    Raises:
        ConfigError: a folder of that name holds something else.
    """
    for image in images:
        if image.prebuilt:
            continue
        place = folder / image.id
        if place.exists():
            if not _is_ours(place):
                raise ConfigError(
                    f"{place} exists and was not written by rocmimg", next_step="choose another --output folder"
                )
            shutil.rmtree(place)
        place.mkdir(parents=True)
        text, context = image.build_files(caches=caches, store=caches)
        for file in context:
            _write(_public(file), place / file.path)
        dockerfile = place / image.dockerfile_name
        dockerfile.write_text(text, encoding="utf-8")
        yield dockerfile


def has_passwords(image: ImagePlan) -> bool:
    """Whether the network settings of an image hold some, which no written context does."""
    return any(_public(file) is not file for file in image.context)


def _public(file: ContextFile) -> ContextFile:
    if not file.path.startswith(f"{FOLDER}/") or not isinstance(file.data, bytes):
        return file
    text = file.data.decode()
    return replace(file, data=without_secrets(text, "").encode()) if holds_secrets(text) else file


def _is_ours(place: Path) -> bool:
    if (place / OWN_NAME).is_file():
        return True
    dockerfile = place / "Dockerfile"
    return dockerfile.is_file() and "Rendered by rocmimg" in dockerfile.read_text(encoding="utf-8", errors="replace")


def _write(file: ContextFile, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if file.link is not None:
        target.symlink_to(file.link)
    elif isinstance(file.data, bytes):
        target.write_bytes(file.data)
        target.chmod(file.mode)
    elif file.data.exists():
        shutil.copyfile(file.data, target)
        target.chmod(file.mode)
