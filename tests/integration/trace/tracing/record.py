"""What a trace build shows: the calls of each stage, in order."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One recorded command."""

    stage: str
    tool: str
    """What it is, however it was spelled: ``python3 -m pip`` is pip."""
    argv: tuple[str, ...]
    cwd: str
    env: Mapping[str, str] = field(repr=False)
    checkout: Mapping[str, str]
    """The git checkout that ``cwd`` is in: top, url and head; empty elsewhere."""
    exit: int
    facts: Mapping[str, Any]
    """What the recorder understood of the arguments."""

    @property
    def not_executed(self) -> tuple[str, ...]:
        """Build files of a component's own that the real command runs, and the recorder did not."""
        return tuple(self.facts.get("not_executed", ()))

    def __str__(self) -> str:
        skipped = f" (not executed: {', '.join(self.not_executed)})" if self.not_executed else ""
        return f"{self.stage}: {' '.join(self.argv)}{skipped}"


def calls(stage: str, lines: Iterable[str]) -> tuple[Call, ...]:
    """The calls of one stage's log."""
    records = [json.loads(line) for line in lines]
    return tuple(
        Call(stage=stage, **(record | {"argv": tuple(record["argv"]), "checkout": record["checkout"] or {}}))
        for record in records
    )


def own_lines(logs: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Each stage's lines without those that it inherited from the stage that it starts from."""
    own = {}
    for stage, lines in logs.items():
        inherited = max(
            (len(other) for name, other in logs.items() if name != stage and lines[: len(other)] == other
             and (len(other), name) < (len(lines), stage)),
            default=0,
        )  # fmt: skip
        own[stage] = lines[inherited:]
    return own


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """The calls of one cell's build."""

    stages: Mapping[str, tuple[Call, ...]]

    def __iter__(self) -> Iterator[Call]:
        for stage in self.stages.values():
            yield from stage

    @property
    def not_executed(self) -> list[str]:
        """Each such file once, sorted."""
        return sorted({file for call in self for file in call.not_executed})

    def of(self, tool: str, stage: str | None = None, **facts: object) -> list[Call]:
        """Calls of a tool, of one stage, with these facts."""
        return [
            call
            for call in self
            if call.tool == tool
            and stage in (None, call.stage)
            and all(call.facts.get(name) == value for name, value in facts.items())
        ]
