"""The AMD GPU devices of this machine and the groups that own them, by number as containers need them."""

from __future__ import annotations

import grp
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def gpu_nodes(dev: Path = Path("/dev")) -> tuple[str, ...]:
    """``/dev/kfd`` and the render nodes, those that exist; empty where there is no AMD GPU driver."""
    kfd = dev / "kfd"
    if not kfd.exists():
        return ()
    return (str(kfd), *sorted(map(str, (dev / "dri").glob("renderD*"))))


def node_groups(nodes: Iterable[str]) -> dict[int, str]:
    """Number -> name (or the number again) of the groups that own ``nodes``, root's left out."""
    gids = sorted({Path(node).stat().st_gid for node in nodes} - {0})
    return {gid: _name(gid) for gid in gids}


def missing_groups(groups: Mapping[int, str]) -> list[int]:
    """Which of ``groups`` this process is not in; none for root."""
    if os.geteuid() == 0:
        return []
    return sorted(set(groups) - {*os.getgroups(), os.getegid()})


def _name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
