"""Which images builds of rocmimg made: labels are inherited by whatever is made FROM an image, its id is not.

An engine's id of an image is a digest over its configuration and layers, so what is remembered under an id cannot come
to mean other content. The records lie in the cache folder; where one is missing, the image is built again, from the
engine's cache of steps.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from rocmimg.paths import cache_dir, write_atomic


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What a build made, or a pull brought after its provenance was verified."""

    id: str
    """The engine's id."""
    cell: str
    plan: str
    """The plan's digest."""
    layers: tuple[str, ...]


def remember(built: Built) -> None:
    """Record an image.

    Raises:
        OSError: the cache folder cannot be written.
    """
    write_atomic(_path(built.id), json.dumps(asdict(built), indent=2) + "\n")


def find(image_id: str) -> Built | None:
    """The record of an image; None where no build of this user made it."""
    try:
        value = json.loads(_path(image_id).read_bytes())
        return Built(id=value["id"], cell=value["cell"], plan=value["plan"], layers=tuple(value["layers"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def every() -> Iterator[Built]:
    """All records of this user; of images that are gone as well."""
    for path in sorted((cache_dir() / "built").glob("*.json")):
        if found := find(path.stem):
            yield found


def forget(image_id: str) -> None:
    """Drop the record of an image that is gone."""
    _path(image_id).unlink(missing_ok=True)


def _path(image_id: str) -> Path:
    return cache_dir() / "built" / f"{image_id.rpartition(':')[2]}.json"
