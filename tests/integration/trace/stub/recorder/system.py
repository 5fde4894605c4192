"""Small things: what waits, what checks sums, compilers that are asked for their version."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import dists
from call import ROOT, Arguments, Call, Refused, must_exist, project_sources, write

_SUM = re.compile(r"[0-9a-f]{64}  ?(?P<file>\S.*)")


def sleep(call: Call) -> None:
    call.parse(Arguments("sleep").words("seconds", 1))


def sha256sum(call: Call) -> None:
    options = Arguments("sha256sum").flags("--check|-c", "--strict", "--quiet", "--status")
    said = call.parse(options.words("files"))
    if not said.check:
        call.facts["printed"] = True
        done = subprocess.run([ROOT / "sha256sum", *said.files], check=False)
        if done.returncode:
            raise Refused("it failed", done.returncode)
        return
    text = sys.stdin.read() if said.files in ([], ["-"]) else "".join(Path(file).read_text() for file in said.files)
    for line in text.splitlines():
        match = _SUM.fullmatch(line)
        if not match:
            raise Refused(f"no properly formatted checksum line: {line!r}", 1)
        must_exist(match["file"], "the summed file")
        call.print(f"{match['file']}: OK")


def compiler(call: Call) -> None:
    if call.args != ["--version"]:
        raise Refused(f"{call.args} has no fixture")
    call.print(f"{call.name} 0 (trace)")


def rocm_sdk(call: Call) -> None:
    if call.args == ["init"]:
        folder = dists.SITE / "_rocm_sdk_devel"
        write({"lib/libamd_smi.so": "", "bin/hipcc": "@", "llvm/bin/clang": "@", "llvm/bin/llvm-config": "@"}, folder)
        write(project_sources("amdsmi", "amdsmi"), folder / "share/amd_smi")
    elif call.args != ["targets"]:
        raise Refused(f"{call.args} has no fixture")
