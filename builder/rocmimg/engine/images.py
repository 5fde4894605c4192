"""The engine's JSON about images as records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rocmimg.engine.types import HistoryEntry, ImageDetail, ImageInfo

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_NONE: Final = "<none>"
_PODMAN_PREFIXES: Final = ("localhost/", "docker.io/library/", "docker.io/")


def _familiar(name: str) -> str:
    return next((name.removeprefix(prefix) for prefix in _PODMAN_PREFIXES if name.startswith(prefix)), name)


def _names(given: Iterable[str] | None, *, podman: bool) -> tuple[str, ...]:
    names = (name for name in given or () if _NONE not in name)
    return tuple(map(_familiar, names)) if podman else tuple(names)


def listed(image: Mapping[str, Any], *, podman: bool) -> ImageInfo:
    """One object of the image list; podman's names are shortened to docker's."""
    return ImageInfo(
        id=image["Id"],
        tags=_names(image.get("RepoTags"), podman=podman),
        digests=_names(image.get("RepoDigests"), podman=podman),
        labels=image.get("Labels") or {},
        size=int(image.get("Size", 0)),
        created=float(image.get("Created", 0)),
    )


def detail(image: Mapping[str, Any], *, podman: bool) -> ImageDetail:
    """An inspected image."""
    config = image.get("Config") or {}
    env = (pair.partition("=") for pair in config.get("Env") or ())
    return ImageDetail(
        id=image["Id"],
        tags=_names(image.get("RepoTags"), podman=podman),
        digests=_names(image.get("RepoDigests"), podman=podman),
        labels=config.get("Labels") or {},
        env={name: value for name, _, value in env},
        workdir=config.get("WorkingDir") or "/",
        entrypoint=tuple(config.get("Entrypoint") or ()),
        cmd=tuple(config.get("Cmd") or ()),
        user=config.get("User") or "",
        shell=tuple(config.get("Shell") or ()),
        size=int(image.get("Size", 0)),
        created=str(image.get("Created", "")),
        layers=tuple((image.get("RootFS") or {}).get("Layers") or ()),
    )


def entry(step: Mapping[str, Any]) -> HistoryEntry:
    """One step of a history."""
    return HistoryEntry(
        created_by=str(step.get("CreatedBy", "")),
        size=int(step.get("Size", 0)),
        created=float(step.get("Created", 0)),
        comment=str(step.get("Comment", "")),
    )
