"""A base image out of this machine's own programs, where no registry and no package mirror is at hand."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Final

from rocmimg.plan.context import ContextFile

_LIBRARY: Final = re.compile(r"(?:=> )?(/\S+) \(0x")
_LATE_LIBRARIES: Final = ("libnss_dns.so.2", "libnss_files.so.2", "libresolv.so.2")
"""Loaded by name at run time by a C library older than glibc 2.34."""


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
