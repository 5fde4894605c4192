"""The shell text of a RUN does not parse."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from functools import cache
from shutil import which
from typing import Final

from rocmimg.lint.context import LintFile, Run
from rocmimg.lint.model import Hit, Level, Rule
from rocmimg.lint.text import Mapped

_SECONDS: Final = 10


@cache
def _bash() -> str | None:
    return which("bash")


def _refusal(text: Mapped) -> str | None:
    """What bash says against a script, without running it; empty when it accepts it, None when there is no bash."""
    bash = _bash()
    if bash is None:
        return None
    try:
        result = subprocess.run(
            [bash, "--norc", "--noprofile", "-n"], input=text.data, capture_output=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return None
    if result.returncode == 0:
        return ""
    lines = result.stderr.decode(errors="replace").splitlines()
    return lines[0].partition("line ")[2].partition(": ")[2] if lines else "syntax error"


def _place(run: Run, text: Mapped) -> tuple[int, int]:
    """The first place that the grammar does not read, inside this text; its start otherwise."""
    first, last = text.origin(0), text.origin(len(text.data))
    for start, end, _ in run.script.errors:
        if first <= start <= last:
            return start, max(end, start + 1)
    return first, first + 1


def check(file: LintFile) -> Iterable[Hit]:
    for run in file.runs:
        for text, _ in run.script.texts:
            if not text.data.strip():
                continue
            refusal = _refusal(text)
            suspect = bool(run.script.errors)
            if refusal:
                start, end = _place(run, text)
                yield Hit(start=start, end=end, message=f"the shell does not read this: {refusal}")
                break
            if refusal is None and suspect:
                start, end = _place(run, text)
                message = "this does not look like valid shell (no bash here to ask)"
                yield Hit(start=start, end=end, message=message, level=Level.WARNING)
                break


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
    replaces=("SC1009", "SC1070", "SC1072", "SC1073", "SC1088", "SC1089"),
)
