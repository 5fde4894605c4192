"""Whether a step of a build reaches the Python package index: name, connection, certificate.

The base is made on the spot from this machine's own curl (or bash) and the libraries that it is linked with, so no
registry is needed. What runs in it is the engine's business: its network, DNS and proxy.
"""

from __future__ import annotations

import json
import re
import shutil
import ssl
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlsplit

from rocmimg.engine.context import ContextFile
from rocmimg.engine.failure import StepFailed
from rocmimg.engine.types import BuildRequest, NetworkMode
from rocmimg.errors import RocmimgError

if TYPE_CHECKING:
    from rocmimg.engine.client import Engine

_LIMIT_S: Final = 20
_OTHER: Final = "the engine cannot run a step with this network: see its own log"
_CURL_NAME: Final = frozenset({5, 6})
_CURL_TLS: Final = frozenset({35, 58, 60, 77, 83})
_NAME_FAILED: Final = re.compile(r"name resolution|Name or service|not known|No address", re.IGNORECASE)

_LIBRARY: Final = re.compile(r"(?:=> )?(/\S+) \(0x")
_LATE_LIBRARIES: Final = ("libnss_dns.so.2", "libnss_files.so.2", "libresolv.so.2")
"""Loaded by name at run time by a C library older than glibc 2.34."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What a build with one network mode reached."""

    status: Literal["ok", "problem", "not run"]
    detail: str
    next_step: str = ""


def reach(engine: Engine, mode: NetworkMode) -> Reach:
    """Run one request from inside a build on ``engine``."""
    tool = shutil.which("curl") or shutil.which("bash")
    if tool is None:
        return Reach(status="not run", detail="this machine has neither curl nor bash to make a base from")
    url = index_url()
    tag = f"rocmimg-doctor:{mode}"
    request = BuildRequest(
        dockerfile=f"FROM scratch\nCOPY root /\nRUN {json.dumps(_command(tool, url))}\n",
        context=[*closure(Path(tool)), *_trust()],
        tags=(tag,),
        network_mode=mode,
    )
    host = urlsplit(url).hostname or url
    try:
        engine.build(request, lambda _: None)
        engine.remove(tag, force=True)
    except StepFailed as failure:
        return _judge(failure, host, mode)
    except RocmimgError as error:
        return Reach(status="problem", detail=f"{error.what}; {error.why}", next_step=error.next_step or _OTHER)
    proven = "name, connection and certificate" if tool.endswith("curl") else "name and connection; TLS not tried"
    return Reach(status="ok", detail=f"{host} answers from inside a build ({proven})")


def closure(*tools: Path) -> list[ContextFile]:
    """Programs and the libraries that they are linked with, at their own paths below ``root/``.

    Linux with ldd; a program that is linked statically comes alone.
    """
    libraries: dict[Path, None] = {}
    for tool in tools:
        linked = subprocess.run(["ldd", str(tool)], capture_output=True, text=True, check=False).stdout
        libraries |= dict.fromkeys(Path(path) for path in _LIBRARY.findall(linked))
    folders = dict.fromkeys(library.parent for library in libraries)
    late = [folder / name for folder in folders for name in _LATE_LIBRARIES]
    found = dict.fromkeys((*tools, *libraries, *late))
    return [ContextFile(path=f"root{path}", data=path.resolve(), mode=0o755) for path in found if path.is_file()]


def index_url() -> str:
    """The package index that pip is configured for."""
    asked = subprocess.run(
        [sys.executable, "-m", "pip", "config", "get", "global.index-url"], capture_output=True, text=True, check=False
    )
    if configured := asked.stdout.strip():
        return configured
    from pypi_simple import PYPI_SIMPLE_ENDPOINT  # with what it parses answers with, half a second

    return PYPI_SIMPLE_ENDPOINT


def _command(tool: str, url: str) -> list[str]:
    # Something new each time, or the engine would answer from its cache.
    fresh = f"rocmimg-doctor/{time.time_ns()}"
    if tool.endswith("curl"):
        limit = str(_LIMIT_S)
        return [tool, "--silent", "--show-error", "--head", "--max-time", limit, "--user-agent", fresh, url]
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return [tool, "-c", ': "$2"; exec 3<>"/dev/tcp/$0/$1"', str(parts.hostname), str(port), fresh]


def _judge(failure: StepFailed, host: str, mode: NetworkMode) -> Reach:
    said = " / ".join(line for line in failure.log if line.strip()) or failure.why
    if failure.step_exit_code is None:
        return Reach(status="problem", detail=f"{failure.what}; {failure.why}", next_step=failure.next_step or _OTHER)
    detail = f"{host}: {said}"
    if failure.step_exit_code in _CURL_NAME or _NAME_FAILED.search(said):
        return Reach(
            status="problem",
            detail=detail,
            next_step='names do not resolve inside a build: set "dns" in /etc/docker/daemon.json'
            + (", or use the machine's network (--set network.engine_mode=host)" if mode == "default" else ""),
        )
    if failure.step_exit_code in _CURL_TLS:
        return Reach(
            status="problem",
            detail=detail,
            next_step="the certificate is not trusted: name your network's CA bundle (--set network.ca_bundle=FILE)",
        )
    return Reach(
        status="problem",
        detail=detail,
        next_step="no connection from a build: check the firewall, or set a proxy (--set network.https_proxy=URL)"
        + (" or use the machine's network (--set network.engine_mode=host)" if mode == "default" else ""),
    )


def _trust() -> list[ContextFile]:
    """This machine's CA bundle, where curl looks for it: whatever it trusts, the probe trusts."""
    bundle = ssl.get_default_verify_paths().cafile
    if not bundle or not Path(bundle).is_file():
        return []
    data = Path(bundle).resolve()
    places = ("etc/ssl/certs/ca-certificates.crt", "etc/pki/tls/certs/ca-bundle.crt")
    return [ContextFile(path=f"root/{place}", data=data) for place in places]
