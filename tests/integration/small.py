"""The small image that many tests build on."""

from __future__ import annotations

import shutil
from pathlib import Path

from rocmimg.engine import BuildRequest
from rocmimg.engine.client import Engine
from rocmimg.engine.context import ContextFile
from rocmimg.engine.reach import closure

SMALL_BASE = "rocmimg-test/base:1"
_TOOLS = "cat env grep ls mkdir rm sleep find true"


def build_small_base(engine: Engine) -> None:
    """An image of a few of this machine's own programs: no registry, no package mirror."""
    found = [Path(path) for tool in _TOOLS.split() if (path := shutil.which(tool))]
    users = (
        ContextFile(path="root/etc/passwd", data=b"root:x:0:0::/root:/bin/sh\n"),
        ContextFile(path="root/etc/group", data=b"root:x:0:\n"),
    )
    text = 'FROM scratch\nCOPY root /\nRUN ["/bin/sh", "-c", "mkdir -p /tmp /var /run"]\n'
    context = (*closure(*found, Path("/bin/sh"), Path("/bin/bash")), *users)
    engine.build(BuildRequest(dockerfile=text, context=context, tags=(SMALL_BASE,)), lambda _: None)
