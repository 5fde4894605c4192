"""Run the probe in a container and bring its answer home."""

from __future__ import annotations

import io
import json
import zipfile
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from rocmimg.engine.context import ContextFile
from rocmimg.errors import EngineError

if TYPE_CHECKING:
    from rocmimg.engine import Container
    from rocmimg.plan.expected import ExpectedImage

FOLDER: Final = "/tmp"  # noqa: S108
ARCHIVE: Final = "rocmimg-probe.pyz"
JOB: Final = "rocmimg-job.json"
IMPORT_LIMIT_S: Final = 300
"""How long the import of one module may take."""
PROBE_LIMIT_S: Final = 1200
_MAIN: Final = """\
import pkgutil
from probe.__main__ import main
main(pkgutil.get_data("probe", "fresh.py").decode())
"""


@cache
def archive() -> bytes:
    """The probe as one file that an interpreter runs."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("__main__.py", _MAIN)
        for file in resources.files("rocmimg.checks.probe").iterdir():
            if file.name.endswith(".py"):
                target.writestr(f"probe/{file.name}", file.read_bytes())
    return packed.getvalue()


def job(planned: ExpectedImage, *, python: bool) -> dict[str, Any]:
    """What the probe is asked; ``python`` says whether the import tier is wanted."""
    return {
        "workdir": planned.workdir,
        "modules": list(
            dict.fromkeys((*planned.modules, *(name for name in planned.keep if name in ("torch", "triton"))))
        ),
        "requires": {c.module: list(c.requires) for c in planned.components if c.module},
        "checkouts": {component.name: component.checkout for component in planned.components},
        "packages": {c.module.partition(".")[0]: c.name for c in planned.components if c.module},
        "import_limit": IMPORT_LIMIT_S,
        "python": python,
        "only_files": False,
    }


def probe(container: Container, planned: ExpectedImage, *, python: bool) -> dict[str, Any]:
    """The probe's answer, or ``{"error": ...}`` where it does not run.

    It runs as users run the image: not interactive, from the work directory, with the image's own environment and user.
    Where that user is not root, root looks at the files: what others cannot read is in the image all the same.

    Raises:
        EngineError: the engine fails.
    """
    if planned.user in ("root", "0"):
        return _run(container, planned, job(planned, python=python))
    answer = _run(container, planned, job(planned, python=python))
    seen = _run(container, planned, job(planned, python=False) | {"only_files": True}, user="0")
    return answer if "error" in answer else answer | {name: seen.get(name, seen) for name in ("files", "git")}


def _run(
    container: Container, planned: ExpectedImage, wanted: dict[str, Any], user: str | None = None
) -> dict[str, Any]:
    files = [
        ContextFile(path=ARCHIVE, data=archive()),
        ContextFile(path=JOB, data=json.dumps(wanted).encode()),
    ]
    try:
        container.put(FOLDER, files)
    except EngineError as error:
        return {"error": f"{FOLDER} cannot be written to: {error}"}
    command = [planned.python, f"{FOLDER}/{ARCHIVE}", f"{FOLDER}/{JOB}"]
    done = container.exec(command, timeout=PROBE_LIMIT_S, user=user)
    if done.timed_out:
        return {"error": f"the probe hangs: ended after {PROBE_LIMIT_S} s"}
    if done.exit_code != 0:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-3:]
        return {"error": f"{planned.python} ended with exit code {done.exit_code}: {' | '.join(last)}"}
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
