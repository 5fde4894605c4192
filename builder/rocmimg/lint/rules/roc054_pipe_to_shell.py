"""A script from the network goes straight into a shell."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from rocmimg.lint.context import LintFile
from rocmimg.lint.model import Hit, Level, Rule
from rocmimg.lint.shell import Command
from rocmimg.lint.tools import runs_input

_PINNED: Final = re.compile(r"\d+\.\d+|[0-9a-f]{40}|\$\{?\w*(VERSION|COMMIT|SHA|TAG|REF)\w*")


def check(file: LintFile) -> Iterable[Hit]:
    for run in file.runs:
        pipelines: dict[int, list[Command]] = {}
        for command in run.script.commands:
            if command.pipeline:
                pipelines.setdefault(command.pipeline, []).append(command)
        for members in pipelines.values():
            fetch = next((c for c in members if c.name in {"curl", "wget"}), None)
            runner = next((c for c in members if fetch and c.position > fetch.position and runs_input(c)), None)
            if fetch is not None and runner is not None:
                yield _hit(fetch, runner)


def _hit(fetch: Command, runner: Command) -> Hit:
    address = next((value for value in fetch.values() if "://" in value), "an address")
    if _PINNED.search(address):
        message = f"a download of {address} that breaks off runs as half a script, or as none, without an error"
        return Hit(start=fetch.start, end=runner.end, message=message, level=Level.NOTE)
    message = f"{runner.name} runs whatever {address} serves today, half of it or nothing when the download breaks off"
    if "rustup" in address and "--default-toolchain" not in runner.values():
        message += "; the Rust toolchain is the newest stable one"
    return Hit(start=fetch.start, end=runner.end, message=message)


RULE: Final = Rule(
    id="ROC054",
    failure_class="F32",
    level=Level.WARNING,
    title="a script from the network is run without a pin",
    why="Nobody knows which script built the image, and a broken download runs half a script.",
    fix="Fetch a versioned address to a file, compare its sha256, then run it; rustup: --default-toolchain 1.90.0.",
    case="rustup in SGLang's and vLLM's files",
    bad="FROM ubuntu:24.04\nRUN curl --retry 5 -sSf https://sh.rustup.rs | sh -s -- -y && rm -rf /root/.cargo\n",
    good=(
        "FROM ubuntu:24.04\nRUN curl --retry 5 -sSfo /tmp/i.sh https://example.com/rustup/1.28.2/init.sh "
        '&& echo "$SUM /tmp/i.sh" | sha256sum -c && sh /tmp/i.sh -y\n'
    ),
    check=check,
    replaces=("DL4006",),
)
