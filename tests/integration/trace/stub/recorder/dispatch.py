"""From a command's name to its recorder."""

from __future__ import annotations

import sys
from pathlib import Path

import apt
import build
import fetch
import git
import pip
import python
import rust
import system
from call import UNVOUCHED, Call, Refused

TOOLS = {
    **apt.TOOLS,
    **build.TOOLS,
    **fetch.TOOLS,
    **git.TOOLS,
    **pip.TOOLS,
    **python.TOOLS,
    **rust.TOOLS,
    **system.TOOLS,
}


def main(argv: list[str]) -> int:
    call = Call(argv[0], argv[1:])
    code, why = 0, ""
    try:
        TOOLS[call.name](call)
        if not call.facts.get("printed") and call.output_is_read():
            raise Refused("its output is read, and there is no fixture for it", UNVOUCHED)
    except Refused as refusal:
        code, why = refusal.code, str(refusal)
    call.log(code, git.checkout_of(Path.cwd()))
    if why:
        print(f"trace: {call.name}: {why}", file=sys.stderr)
    return code
