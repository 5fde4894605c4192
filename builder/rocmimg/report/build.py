"""The summary of a build."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import click

from rocmimg.report.table import print_table


class CompilerCacheResult(Protocol):
    """What is read of a compiler cache's numbers."""

    @property
    def tool(self) -> str: ...
    @property
    def hits(self) -> int: ...
    @property
    def misses(self) -> int: ...


class StepResult(Protocol):
    """What is read of a step."""

    @property
    def status(self) -> str: ...
    @property
    def place(self) -> str: ...
    @property
    def compiler_cache(self) -> CompilerCacheResult | None: ...


class BuildResult(Protocol):
    """What is read of a cell's result."""

    @property
    def id(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def started(self) -> float: ...
    @property
    def seconds(self) -> float: ...
    @property
    def size(self) -> int | None: ...
    @property
    def image_id(self) -> str | None: ...
    @property
    def tags(self) -> tuple[str, ...]: ...
    @property
    def reasons(self) -> tuple[str, ...]: ...
    @property
    def steps(self) -> Sequence[StepResult]: ...
    @property
    def log(self) -> str | None: ...
    @property
    def last_lines(self) -> tuple[str, ...]: ...
    @property
    def error(self) -> Exception | None: ...


def print_build(results: Sequence[BuildResult]) -> None:
    """A table, what the compiler caches did, then each failure with its last lines and the path of its log."""
    rows = []
    for result in results:
        run = sum(step.status != "cached" for step in result.steps)
        steps = f"{run} of {len(result.steps)} run" if result.steps else ""
        size = f"{result.size / 1e6:.0f} MB" if result.size else ""
        image = (result.image_id or "").removeprefix("sha256:")[:12]
        rows.append((result.id, result.status, f"{result.seconds:.1f}s", steps, size, image, " ".join(result.tags)))
    print_table(("cell", "status", "time", "steps", "size", "image", "tags"), rows)
    if cancelled := [result for result in results if result.status == "cancelled"]:
        click.echo()
        print_table(("cancelled", "ran", "why"), [(r.id, _ran(r), "; ".join(r.reasons)) for r in cancelled])
    for result in results:
        for step in result.steps:
            if (cache := step.compiler_cache) and (compiled := cache.hits + cache.misses):
                click.echo(f"{result.id} [{step.place}]: {cache.tool} had {cache.hits} of {compiled} compilations")
    for result in results:
        if result.error is None:
            continue
        click.echo(f"\n{result.id} failed: {result.error}")
        for line in result.last_lines:
            click.echo(f"    {line}")
        if result.log:
            click.echo(f"  full log: {result.log}")


def _ran(result: BuildResult) -> str:
    if not result.started:
        return "never started"
    places = dict.fromkeys(step.place for step in result.steps if step.status == "cancelled")
    return f"{result.seconds:.1f}s" + (f", until {', '.join(places)}" if places else "")
