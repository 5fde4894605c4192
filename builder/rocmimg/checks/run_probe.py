"""Look at an image from the inside, or, where it has no usable Python, at its exported files."""

from __future__ import annotations

import base64
import json
import posixpath
import secrets
import zlib
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from rocmimg.checks.backend import CommandStopped, host_of
from rocmimg.checks.probe import outside
from rocmimg.checks.probe.__main__ import loadable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from tarfile import TarInfo
    from typing import IO

    from testinfra.backend.base import CommandResult

    from rocmimg.engine import Container, Engine
    from rocmimg.plan.expected import ExpectedImage

IMPORT_LIMIT_S: Final = 300
"""How long the import of one module may take."""
PROBE_LIMIT_S: Final = 1200
ANSWER_LIMIT: Final = 256 << 20
"""Bytes of output that are taken from a probe."""
_TOO_OLD: Final = 86
_NO_COMMAND: Final = (126, 127)
_ARGUMENT: Final = 100_000
"""A kernel takes arguments of up to 128 KiB."""
_PYTHONS: Final = (
    "python3", "python", "/usr/bin/python3", "/usr/local/bin/python3", "/opt/venv/bin/python3",
    "/opt/conda/bin/python3", "/usr/libexec/platform-python",
)  # fmt: skip
_RUNS_PYTHON: Final = (
    "surroundings", "overwritten", "origins", "imports", "maps", "meets", "loads", "startup", "interpreter",
)  # fmt: skip
# Old Pythons must get as far as saying how old they are: no later syntax before the second statement has run.
_BOOT: Final = f"""\
import sys
if sys.version_info < (3, 8):
    sys.stderr.write("%d.%d.%d" % sys.version_info[:3])
    sys.exit({_TOO_OLD})
import base64, json, os, zlib
from importlib.machinery import ModuleSpec
mark = sys.argv[1]
sources, job = json.loads(zlib.decompress(base64.b64decode("".join(sys.argv[2:]))))
class Sources:
    def find_spec(self, name, path=None, target=None):
        if name in sources:
            return ModuleSpec(name, self, is_package="." not in name)
    def create_module(self, spec):
        return None
    def exec_module(self, module):
        exec(compile(sources[module.__name__], module.__name__, "exec"), module.__dict__)
sys.meta_path.insert(0, Sources())
from probe.__main__ import Probe
answer = json.dumps(Probe(job, sources["probe.fresh"]).run()).encode()
answer = ("\\n%s %d\\n" % (mark, len(answer))).encode() + answer
while answer:
    answer = answer[os.write(1, answer):]
"""


@cache
def sources() -> dict[str, str]:
    """The probe's modules as text: it lies nowhere in the image, which may have no folder to put it in."""
    found = {}
    for file in resources.files("rocmimg.checks.probe").iterdir():
        name = file.name.removesuffix(".py")
        if file.name.endswith(".py") and name != "outside":
            found["probe" if name == "__init__" else f"probe.{name}"] = file.read_text(encoding="utf-8")
    return found


def job(planned: ExpectedImage, *, python: bool) -> dict[str, Any]:
    """What the probe is asked; ``python`` says whether the import tier is wanted."""
    return {
        "workdir": planned.workdir,
        "argv": [*planned.entrypoint, *planned.command],
        "user": planned.user,
        "interpreter": planned.python,
        "modules": list(
            dict.fromkeys((*planned.modules, *(name for name in planned.keep if name in ("torch", "triton"))))
        ),
        "requires": {c.module: list(c.requires) for c in planned.components if c.module},
        "checkouts": {component.name: component.checkout for component in planned.components if component.checkout},
        "packages": {c.module.partition(".")[0]: c.name for c in planned.components if c.module},
        "import_limit": IMPORT_LIMIT_S,
        "libraries": [],
        "python": python,
        "files": True,
        "only_files": False,
    }


def command(python: str, mark: str, wanted: Mapping[str, Any]) -> list[str]:
    """Start the probe: isolated, and with everything that it needs in its arguments."""
    packed = base64.b64encode(zlib.compress(json.dumps([sources(), wanted]).encode(), 9)).decode()
    pieces = [packed[at : at + _ARGUMENT] for at in range(0, len(packed), _ARGUMENT)]
    return [python, "-I", "-S", "-c", _BOOT, mark, *pieces]


def answer_of(output: bytes, mark: str) -> dict[str, Any] | None:
    """The answer in what was written: behind a mark that nobody inside could know; None where it is not whole."""
    _, found, rest = output.rpartition(f"\n{mark} ".encode())
    length, _, body = rest.partition(b"\n")
    if not found or not length.isdigit() or len(body) < int(length):
        return None
    said: dict[str, Any] = json.loads(body[: int(length)])
    return said


def probe(container: Container, planned: ExpectedImage, *, python: bool) -> dict[str, Any]:
    """What the image shows of itself: see ``rocmimg.checks.probe`` for the answer.

    It runs as users run the image: not interactive, from the work directory, with the image's own environment and user.
    Where that user is not root, root looks at the files: what others cannot read is in the image all the same. Where no
    Python of the image can run it, the exported files are read here.

    Raises:
        EngineError: the engine fails.
    """
    wanted = job(planned, python=python)
    kind, why = "no-python", ""
    for interpreter in _candidates(planned):
        if planned.user in ("root", "0", ""):
            answer, failed = _run(container, interpreter, wanted)
        else:
            answer, failed = _in_two(container, interpreter, wanted)
        if answer is not None:
            return _merged(answer)
        if failed[0] != "no-python" and kind == "no-python":
            kind, why = failed
    why = why or f"there is no Python in the image ({', '.join(dict.fromkeys(_candidates(planned)))})"
    return read_exported(container.export(), planned, container.env(), kind=kind, why=why)


def exported(engine: Engine, image: str, planned: ExpectedImage) -> dict[str, Any]:
    """The same of an image in which nothing can be run, not even a shell that waits.

    Raises:
        EngineError: the engine fails.
    """
    detail = engine.image(image)
    with engine.exported(image) as members:
        why = "nothing can be run in the image to look around: it has no /bin/sh"
        return read_exported(members, planned, detail.env if detail else {}, kind="no-python", why=why)


def read_exported(
    members: Iterable[tuple[TarInfo, IO[bytes]]],
    planned: ExpectedImage,
    env: Mapping[str, str],
    *,
    kind: str,
    why: str,
) -> dict[str, Any]:
    """The answer out of an image's files alone; ``why`` no Python of the image gave it."""
    wanted = job(planned, python=False)
    found = outside.answer(members, wanted, env)
    missing = {name: {"error": why} for name in _RUNS_PYTHON}
    return {**missing, **found, "probe": {**found["probe"], "kind": kind, "error": why}, "error": why}


def _candidates(planned: ExpectedImage) -> list[str]:
    first = planned.entrypoint[:1] or planned.command[:1]
    beside = [posixpath.join(posixpath.dirname(first[0]), "python3")] if first and first[0].startswith("/") else []
    return list(dict.fromkeys(one for one in (planned.python, *beside, *_PYTHONS) if one))


def _in_two(
    container: Container, interpreter: str, wanted: Mapping[str, Any]
) -> tuple[dict[str, Any] | None, tuple[str, str]]:
    seen, failed = _run(container, interpreter, {**wanted, "python": False, "only_files": True}, user="0")
    if seen is None:
        return None, failed
    libraries = loadable(seen["files"], seen["interpreter"], wanted["checkouts"])
    answer, failed = _run(container, interpreter, {**wanted, "files": False, "libraries": libraries})
    return ({**seen, **answer} if answer is not None else None), failed


def _run(
    container: Container, interpreter: str, wanted: Mapping[str, Any], user: str | None = None
) -> tuple[dict[str, Any] | None, tuple[str, str]]:
    """The answer of one interpreter, or the kind of its failure and the words for it."""
    mark = secrets.token_hex(16)
    host = host_of(container, timeout=PROBE_LIMIT_S, user=user, output_limit=ANSWER_LIMIT)
    argv = command(interpreter, mark, wanted)
    try:
        done = host.run(" ".join(["%s"] * len(argv)), *argv)
    except CommandStopped as stopped:
        return None, ("broken-python", f"{interpreter} {stopped.reason}")
    answer = answer_of(done.stdout_bytes, mark)
    return answer, ("", "") if answer is not None else _failure(interpreter, done)


def _failure(interpreter: str, done: CommandResult) -> tuple[str, str]:
    said = done.stderr_bytes.decode(errors="replace").strip()
    if done.rc == _TOO_OLD:
        return "old-python", f"{interpreter} is Python {said[-20:]}; 3.8 or later is needed to look around"
    if done.rc in _NO_COMMAND and ("not found" in said or "no such file" in said.lower()):
        return "no-python", f"{interpreter} is not in the image"
    last = " | ".join(said.splitlines()[-3:])
    return "broken-python", f"{interpreter} ended with exit code {done.rc}" + (f": {last}" if last else "")


def _merged(answer: dict[str, Any]) -> dict[str, Any]:
    imported = answer.pop("entry_import", None)
    if "error" not in answer["entry"]:
        answer["entry"]["import"] = imported
    return answer
