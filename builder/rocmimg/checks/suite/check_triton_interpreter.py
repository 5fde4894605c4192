from __future__ import annotations

import json
from importlib import resources
from typing import Final

from rocmimg.checks import Image, check, fail, not_applicable
from rocmimg.checks.backend import CommandStopped
from rocmimg.engine.context import ContextFile

_FOLDER: Final = "/tmp"  # noqa: S108
_SCRIPT: Final = "rocmimg-triton-interpreter.py"
_LIMIT_S: Final = 180.0
_TOLERANCE: Final = 1e-5


@check("triton-interpreter", tier="import")
def check_triton_interpreter(image: Image) -> None:
    """Triton and torch work together: a kernel runs in Triton's interpreter, on the processor."""
    imports = image.probe["imports"]
    names = {name for one in image.probe["distributions"] for name in (one["name"], *one["packages"])}
    if not {"torch", "triton"} <= names or imports.get("torch", {"error": "missing"})["error"]:
        not_applicable("the image has not both torch and Triton, or torch cannot be imported")
    source = resources.files("rocmimg.checks.scripts") / "triton_interpreter.py"
    image.container.put(_FOLDER, [ContextFile(path=_SCRIPT, data=source.read_bytes())])
    # A process of its own: the interpreter replaces Triton's compiler for good.
    host = image.host(env={"TRITON_INTERPRET": "1"}, timeout=_LIMIT_S)
    fix = "install the Triton that this torch was released with"
    try:
        done = host.run("%s %s", image.expect.python, f"{_FOLDER}/{_SCRIPT}")
    except CommandStopped as stopped:
        fail(f"the kernel {stopped.reason}", cause="torch and Triton do not fit", fix=fix)
    if done.failed:
        last = done.stderr.strip().splitlines()[-1:]
        fail(f"the kernel does not run: {' '.join(last)}", cause="torch and Triton do not fit", fix=fix)
    said = json.loads(done.stdout.splitlines()[-1])
    image.note(**said)
    # `not <=` so that NaN, with which nothing compares, does not pass.
    if not said["error"] <= _TOLERANCE:
        fail(
            f"rmsnorm is wrong by {said['error']:.2g} (relative), {_TOLERANCE:g} is allowed",
            cause="Triton's interpreter and torch disagree about memory or types",
            fix=fix,
        )
