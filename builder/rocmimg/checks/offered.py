"""The GPUs of an engine on another machine: what it says that it can give, and what a container with them sees."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rocmimg.checks.device import gfx_name
from rocmimg.checks.job import Gpu
from rocmimg.engine import ContainerSpec
from rocmimg.engine.cdi import KIND
from rocmimg.errors import EngineError

if TYPE_CHECKING:
    from rocmimg.engine import Engine

ALL: Final = f"{KIND}=all"
_LIMIT_S: Final = 60.0
_ASK: Final = """\
for node in /sys/class/kfd/kfd/topology/nodes/*/; do
    while read -r key value; do echo "$key $value"; done <"$node/properties"; echo end
done 2>/dev/null
for file in /dev/kfd /dev/dri/renderD*; do [ -e "$file" ] && echo "file $(stat -c %g "$file") $file"; done; :
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """What such an engine has."""

    gpus: tuple[Gpu, ...] = ()
    groups: tuple[int, ...] = ()
    """Numbers of the groups that own the devices, root's left out."""
    reason: str = ""
    """Why there is no GPU."""


def offered(engine: Engine, image: str) -> Offered:
    """The GPUs that ``engine`` gives to a container of ``image`` by CDI."""
    remote = f"the engine is remote ({engine.url})"
    if ALL not in engine.info.cdi_devices:
        return Offered(reason=f"{remote} and says of no {ALL} that it could give to a container")
    try:
        with engine.run(ContainerSpec(image=image, cdi=(ALL,))) as container:
            said = container.exec(["/bin/sh", "-c", _ASK], timeout=_LIMIT_S, user="0").stdout.decode(errors="replace")
    except EngineError as error:
        return Offered(reason=f"{remote} and gives no {ALL}: {error}")
    return parsed(said, f"{remote}; a container that it gives {ALL} sees no AMD GPU")


def parsed(said: str, none: str) -> Offered:
    """What the container printed; ``none`` is the reason where it saw no GPU."""
    files = set(re.findall(r"^file \d+ (\S+)$", said, re.MULTILINE))
    groups = sorted({int(number) for number in re.findall(r"^file (\d+) ", said, re.MULTILINE)} - {0})
    gpus: list[Gpu] = []
    for node in said.split("\nend\n")[:-1]:
        facts = dict(line.split(" ", 1) for line in node.splitlines() if " " in line)
        render = f"/dev/dri/renderD{facts.get('drm_render_minor', '').strip()}"
        version = int(facts.get("gfx_target_version", "0"))
        if version and render in files:
            gpus.append(Gpu(index=len(gpus), arch=gfx_name(version), render=render))
    if "/dev/kfd" not in files or not gpus:
        return Offered(reason=none)
    return Offered(gpus=tuple(gpus), groups=tuple(groups))
