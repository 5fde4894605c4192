"""Which packages hold GPU code for which architectures, and how much."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from rocmimg.checks.probe.machines import GENERIC, SPIRV

KINDS: Final = ("shared object", "program", "code object")


def covers(found: Collection[str], arch: str) -> bool:
    """Whether code for ``found`` runs on ``arch``, generic targets included (llvm/docs/AMDGPUUsage.rst)."""
    return arch in found or SPIRV in found or any(arch in GENERIC.get(name, ()) for name in found)


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
    """The report's part on GPU code: packages (owner -> arch -> bytes), the expected archs and what serves each without
    being named after it (arch -> generic target or SPIR-V -> packages), files, archives that were not read, damaged
    files."""
    objects = files.get("objects", [])
    wanted = list(archs)
    serves: dict[str, dict[str, list[str]]] = {}
    for owner, found in sorted(by_owner(objects).items()):
        for arch in wanted:
            if arch not in found:
                for name in sorted(found):
                    if covers([name], arch):
                        serves.setdefault(arch, {}).setdefault(name, []).append(owner)
    return {
        "expected": wanted,
        "serves": serves,
        "unread": files.get("unread", []),
        "packages": {owner: dict(sorted(found.items())) for owner, found in sorted(by_owner(objects).items())},
        "files": sum(1 for one in objects if one["archs"]),
        "compressed": sum(1 for one in objects if one.get("compressed")),
        "unreadable": files.get("unreadable", []),
    }
