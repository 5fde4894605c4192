"""Whether the steps of a build reach the git mirrors."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from rocmimg.errors import ConfigError
from rocmimg.plan import ImagePlan


def refuse_unreachable_mirrors(image: ImagePlan, engine_url: str) -> None:
    """Raises ConfigError where a mirror is on this machine's loopback and the steps of ``image`` do not reach it."""
    network = image.cell.config.network
    local = [prefix for prefix, mirror in network.git_mirrors.items() if _on_loopback(mirror)]
    if not local:
        return
    position = image.cell.position("network", "git_mirrors")
    what = f"the mirror of {local[0]} is on this machine"
    if not engine_url.startswith(("unix:", "npipe:")):
        next_step = "give the URL of a mirror that the engine's machine reaches"
        raise ConfigError(what, why=f"and the engine is not: {engine_url}", next_step=next_step, position=position)
    if network.engine_mode != "host":
        why = f"and with network.engine_mode {network.engine_mode} a step reaches only its own loopback"
        raise ConfigError(what, why=why, next_step="set network.engine_mode to host", position=position)


def _on_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
