"""From a command's name to its recorder."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

from call import LENIENT, UNVOUCHED, Call, Refused, checkout_of

# Command -> module and function. Modules are imported one at a time: a trace starts hundreds of recorders.
TOOLS = {
    "apt": ("apt", "apt"),
    "apt-get": ("apt", "apt"),
    "autogen.sh": ("build", "autogen"),
    "cargo": ("rust", "cargo"),
    "cmake": ("build", "cmake"),
    "configure": ("build", "configure"),
    "curl": ("fetch", "curl"),
    "git": ("git", "git"),
    "make": ("build", "make"),
    "maturin": ("rust", "maturin"),
    "ninja": ("build", "make"),
    "pip": ("pip", "pip"),
    "pip3": ("pip", "pip"),
    "python": ("python", "python"),
    "python3": ("python", "python"),
    "rocm-sdk": ("system", "rocm_sdk"),
    "rustup": ("rust", "rustup"),
    "rustup-init": ("rust", "rustup_init"),
    "sha256sum": ("system", "sha256sum"),
    "sleep": ("system", "sleep"),
    "wget": ("fetch", "wget"),
    **dict.fromkeys(
        ("c++", "cc", "clang", "clang++", "g++", "gcc", "hipcc", "hipconfig", "llvm-config"), ("system", "compiler")
    ),
}


def main(argv: list[str]) -> int:
    call = Call(argv[0], argv[1:])
    code, why = 0, ""
    try:
        if call.name not in TOOLS:
            raise Refused("there is no recorder for this command yet", UNVOUCHED)
        module, function = TOOLS[call.name]
        getattr(import_module(module), function)(call)
        if not call.facts.get("printed") and call.output_is_read():
            raise Refused("its output is read, and there is no fixture for it", UNVOUCHED)
    except Refused as refusal:
        code, why = refusal.code, str(refusal)
    if code and LENIENT.exists():
        call.facts["refused"] = why
        code = 0
    call.log(code, checkout_of(Path.cwd()))
    if why:
        print(f"trace: {call.name}: {why}", file=sys.stderr)
    return code
