"""The AMD GPUs of this machine: which there are, whose turn it is, and how a container gets one.

For an engine on this machine, whose containers' devices are looked up here; see ``offered`` for others.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from rocmimg.checks.job import Gpu
from rocmimg.engine.cdi import names_for
from rocmimg.engine.host import gpu_nodes, node_groups

TOPOLOGY: Final = Path("/sys/class/kfd/kfd/topology/nodes")
SHM_BYTES: Final = 16 << 30
"""What collectives of one node need; Docker gives 64 MiB."""
_POLL_S: Final = 0.5


def gpus(topology: Path = TOPOLOGY, dev: Path = Path("/dev")) -> tuple[Gpu, ...]:
    """The GPUs that the kernel driver lists, in its order; empty without one."""
    found: list[Gpu] = []
    if not gpu_nodes(dev):
        return ()
    for node in sorted(topology.glob("*"), key=lambda path: int(path.name)):
        try:
            said = dict(line.split(" ", 1) for line in (node / "properties").read_text().splitlines() if " " in line)
            name = (node / "name").read_text().strip() if (node / "name").exists() else ""
        except OSError:
            continue  # a node of a GPU that this user may not see
        version = int(said.get("gfx_target_version", "0"))
        if version:
            render = dev / "dri" / f"renderD{said.get('drm_render_minor', '').strip()}"
            found.append(Gpu(index=len(found), arch=gfx_name(version), render=str(render), name=name))
    return tuple(found)


def gfx_name(version: int) -> str:
    """gfx_target_version of the driver (90402) as LLVM names it (gfx942)."""
    major, minor, step = version // 10000, version // 100 % 100, version % 100
    return f"gfx{major}{minor:x}{step:x}"


def why_none(found: Sequence[Gpu], archs: Sequence[str]) -> str:
    """The reason to give where no GPU of ``found`` fits; empty where one does."""
    if not found:
        return "no AMD GPU"
    if any(gpu.arch in archs for gpu in found):
        return ""
    return f"found {', '.join(sorted({gpu.arch for gpu in found}))}, need {' or '.join(archs)}"


@contextlib.contextmanager
def leased(found: Sequence[Gpu], archs: Sequence[str], count: int = 1) -> Iterator[tuple[Gpu, ...]]:
    """``count`` GPUs of one architecture of ``archs``, or as many as there are, for as long as the block lasts.

    Waits for them. A lock file a GPU in the folder for temporary files, so that runs of other processes wait too.
    """
    kinds = [kind for arch in archs if (kind := [gpu for gpu in found if gpu.arch == arch])]
    most = max(map(len, kinds), default=0)
    while kinds:
        for kind in kinds:
            with contextlib.ExitStack() as stack:
                taken = _take(kind, min(count, most), stack)
                if taken:
                    yield taken
                    return
        # Too few were free, and none is kept: runs that wait for each other's GPUs would wait for ever.
        time.sleep(_POLL_S)
    yield ()


def _take(kind: Sequence[Gpu], count: int, stack: contextlib.ExitStack) -> tuple[Gpu, ...]:
    """``count`` free GPUs, locked until ``stack`` is closed; none where fewer are free."""
    taken: list[Gpu] = []
    for gpu in kind:
        name = re.sub(r"\W", "-", gpu.render)
        descriptor = os.open(Path(tempfile.gettempdir()) / f"rocmimg{name}.lock", os.O_RDWR | os.O_CREAT, 0o666)
        stack.callback(os.close, descriptor)
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            taken.append(gpu)
        if len(taken) == count:
            return tuple(taken)
    return ()


def describe(gpus: Sequence[Gpu]) -> str:
    """The leased GPUs for a report, for instance ``2 x gfx942 MI300X``; empty for none."""
    if not gpus:
        return ""
    number = f"{len(gpus)} x " if len(gpus) > 1 else ""
    return f"{number}{gpus[0].arch} {gpus[0].name}".strip()


def container_options(
    gpus: Sequence[Gpu], kfd: Path = Path("/dev/kfd"), cdi_folders: Sequence[str] = ()
) -> dict[str, Any]:
    """What a container needs to use ``gpus``, as fields of ContainerSpec.

    They are asked for by CDI where the engine reads ``cdi_folders`` and AMD's container toolkit has described all of
    them there, else by their device nodes.
    """
    if not gpus:
        return {}
    nodes = (str(kfd), *(gpu.render for gpu in gpus))
    names = names_for([gpu.render for gpu in gpus], cdi_folders)
    return shared_options(
        devices=() if names else nodes,
        cdi=names,
        group_add=tuple(node_groups(nodes)),
    )


def shared_options(**devices: Any) -> dict[str, Any]:
    """What every container with GPUs gets, besides its ``devices``."""
    return {
        **devices,
        "ipc": "host",
        "shm_bytes": SHM_BYTES,
        "cap_add": ("SYS_PTRACE",),
        "security_opt": ("seccomp=unconfined",),
    }
