"""The shell text of a RUN does not parse."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Sequence
from functools import cache
from shutil import which
from typing import Final

from rocmimg.lint.context import LintFile, Run
from rocmimg.lint.model import Hit, Level, Rule
from rocmimg.lint.text import MappedText

_SECONDS: Final = 10


@cache
def _bash() -> str | None:
    return which("bash")


@cache
def _refusal(script: bytes, *, extglob: bool = False) -> str | None:
    """What bash says against a script, without running it; empty when it accepts it, None when it cannot be asked."""
    bash = _bash()
    if bash is None:
        return None
    argv = [bash, "--norc", "--noprofile", *(("-O", "extglob") if extglob else ()), "-n"]
    try:
        result = subprocess.run(argv, input=script, capture_output=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return None
    if result.returncode == 0:
        return ""
    lines = result.stderr.decode(errors="replace").splitlines()
    return lines[0].partition("line ")[2].partition(": ")[2] if lines else "syntax error"


def _all_accepted(scripts: list[bytes]) -> bool:
    """One question for many scripts, each as the body of a function.

    An unbalanced script could hide in its neighbours; the grammar sees those, and they are asked about one by one.
    """
    bodies = [b"f%d() {\n:\n%s\n}\n" % (number, script) for number, script in enumerate(scripts)]
    return _refusal(b"".join(bodies)) == ""


def _place(run: Run, text: MappedText) -> tuple[int, int]:
    """The first place that the grammar does not read, inside this text; its start otherwise."""
    first, last = text.origin(0), text.origin(len(text.data))
    for start, end, _ in run.script.errors:
        if first <= start <= last:
            return start, max(end, start + 1)
    return first, first + 1


def _quiet(file: LintFile) -> list[bytes]:
    """The scripts that the grammar reads."""
    return [text.data for run in file.runs if not run.script.errors for text, _ in run.script.texts]


def prepare(files: Sequence[LintFile]) -> None:
    """Ask bash about all files at once: one process instead of one per file, where nothing is wrong."""
    _accepted.clear()
    together = [script for file in files for script in _quiet(file)]
    if _all_accepted(together):
        _accepted.update(together)


_accepted: Final[set[bytes]] = set()
"""Scripts that bash accepted, asked about together."""


def check(file: LintFile) -> Iterable[Hit]:
    quiet = _quiet(file)
    accepted = _accepted.issuperset(quiet) or _all_accepted(quiet)
    for run in file.runs:
        if run.script.errors or not accepted:
            hit = _hit(run)
            if hit is not None:
                yield hit


def _hit(run: Run) -> Hit | None:
    for text, shell in run.script.texts:
        # `shopt` is not run here: its patterns are read as if it had been.
        refusal = _refusal(text.data, extglob=b"extglob" in text.data or "extglob" in shell)
        if refusal:
            start, end = _place(run, text)
            return Hit(start=start, end=end, message=f"the shell does not read this: {refusal}")
    if not run.script.errors:
        return None
    start, end, _ = run.script.errors[0]
    if _bash() is None:
        message, level = "this does not look like valid shell (there is no bash here to ask)", Level.WARNING
    else:
        message = (
            "bash accepts this, but the reader of these rules loses its way here: the rest of the RUN is unchecked"
        )
        level = Level.NOTE
    return Hit(start=start, end=max(end, start + 1), message=message, level=level)


RULE: Final = Rule(
    id="ROC051",
    failure_class="-",
    level=Level.ERROR,
    title="a RUN has a shell syntax error",
    why="The build fails at that step, an hour in; behind a flag it fails the first time that the flag is set.",
    fix="Correct the shell; `bash -n` accepts the text when it is right.",
    case="sglang#20093, sglang#23413",
    bad="FROM ubuntu:24.04\nRUN echo a; \\\n    && echo b\n",
    good="FROM ubuntu:24.04\nRUN echo a \\\n    && echo b\n",
    check=check,
    prepare=prepare,
    replaces=("SC1009", "SC1070", "SC1072", "SC1073", "SC1088", "SC1089"),
)
