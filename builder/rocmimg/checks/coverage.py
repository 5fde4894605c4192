"""Which packages hold GPU code for which architectures, and how much."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

KINDS: Final = ("shared object", "code object")
_GENERIC: Final[Mapping[str, tuple[str, ...]]] = {
    "gfx9-generic": ("gfx900", "gfx902", "gfx904", "gfx906", "gfx909", "gfx90c"),
    "gfx9-4-generic": ("gfx940", "gfx941", "gfx942", "gfx950"),
    "gfx10-1-generic": ("gfx1010", "gfx1011", "gfx1012", "gfx1013"),
    "gfx10-3-generic": ("gfx1030", "gfx1031", "gfx1032", "gfx1033", "gfx1034", "gfx1035", "gfx1036"),
    "gfx11-generic": ("gfx1100", "gfx1101", "gfx1102", "gfx1103", "gfx1150", "gfx1151", "gfx1152", "gfx1153"),
    "gfx12-generic": ("gfx1200", "gfx1201"),
}
_ANY: Final = "amdgcnspirv"
"""SPIR-V: the runtime compiles it for the GPU that is there."""


def covers(found: Collection[str], arch: str) -> bool:
    """Whether code for ``found`` runs on ``arch``, generic targets included (llvm/docs/AMDGPUUsage.rst)."""
    return arch in found or _ANY in found or any(arch in _GENERIC.get(name, ()) for name in found)


def by_owner(objects: Iterable[Mapping[str, Any]], kinds: Collection[str] = KINDS) -> dict[str, dict[str, int]]:
    """Package -> arch -> bytes of code, of the probe's ``objects``."""
    owners: dict[str, dict[str, int]] = {}
    for one in objects:
        if one["kind"] in kinds:
            for arch, size in one["archs"].items():
                found = owners.setdefault(one["owner"], {})
                found[arch] = found.get(arch, 0) + size
    return owners


def own_archs(files: Mapping[str, Any]) -> tuple[str, ...]:
    """What an image's own code says that it is for: the architectures that all its packages with GPU code share, or,
    where they share none, those of the package with most of it."""
    owners = by_owner(files.get("objects", []))
    if not owners:
        return ()
    shared: Collection[str] = set.intersection(*(set(found) for found in owners.values()))
    largest = max(owners.values(), key=lambda found: sum(found.values()))
    return tuple(sorted(shared or largest))


def coverage(files: Mapping[str, Any], archs: Iterable[str]) -> dict[str, Any]:
    """The report's part on GPU code: packages (owner -> arch -> bytes), the expected archs, files, unreadable ones."""
    objects = files.get("objects", [])
    return {
        "expected": list(archs),
        "packages": {owner: dict(sorted(found.items())) for owner, found in sorted(by_owner(objects).items())},
        "files": sum(1 for one in objects if one["archs"]),
        "compressed": sum(1 for one in objects if one.get("compressed")),
        "unreadable": files.get("unreadable", []),
    }
