"""Capabilities that images.yaml requires of a cell's components: dotted names that their pins must have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from rocmimg.contract.cells import components_of, environment_of, source_of
from rocmimg.contract.rules import Switches, switches_of, with_switches
from rocmimg.errors import SourceError
from rocmimg.source import Git, Local, SourceSpec

if TYPE_CHECKING:
    from rocmimg.contract.check import Checker
    from rocmimg.matrix import Cell, Matrix

Has = Literal["yes", "no", "unknown", "not run"]
_WORDS: Final[Mapping[str, Has]] = {
    "resolved": "yes",
    "missing-module": "no",
    "missing-name": "no",
    "unknown": "unknown",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Required:
    """A capability that images.yaml names for a component of a cell."""

    cell: str
    target: str
    source: SourceSpec
    switches: Switches = ()

    def __str__(self) -> str:
        return f"{self.cell}: requires {self.target}, which {self.source_name} does not have"

    @property
    def source_name(self) -> str:
        """The source and its switches."""
        return with_switches(str(self.source), self.switches)

    @property
    def package(self) -> str:
        """The package that must have it."""
        return self.target.partition(".")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Availability:
    """Whether a pin has a capability, whether another pin would, and which releases do."""

    cell: str
    capability: str
    pin: str
    has: Has
    other: str = ""
    """The pin that it is compared with; empty for none."""
    then: Has | Literal[""] = ""
    """Whether that one has it."""
    window: str = ""
    reason: str = ""
    """Why something was not run."""

    @property
    def change(self) -> str:
        """What the other pin wins or loses."""
        return {("no", "yes"): "won", ("yes", "no"): "lost"}.get((self.has, self.then), "")

    def as_json(self) -> dict[str, str]:
        """Without what was not asked."""
        row: dict[str, str] = {"cell": self.cell, "capability": self.capability, "pin": self.pin, "has": self.has}
        if self.other:
            row |= {"with": self.other} | ({"then": self.then} if self.then else {})
        row |= {"window": self.window, "change": self.change}
        return row | ({"reason": self.reason} if self.reason else {})


def required_of(cell: Cell, matrix: Matrix) -> Iterator[Required]:
    """Capabilities that images.yaml names for a cell (``capabilities``)."""
    environment = environment_of(cell, matrix)
    for component, _ in components_of(cell, matrix).values():
        for target in component.config.capabilities:
            switches = switches_of(target.partition(".")[0], environment)
            yield Required(cell=cell.id, target=target, source=source_of(component, matrix), switches=switches)


def missing_of(checker: Checker, needs: Sequence[Required]) -> tuple[list[Required], list[str]]:
    """Required capabilities that are not there, and those that could not be looked up, as lines."""
    missing: list[Required] = []
    unread: list[str] = []
    for need in needs:
        try:
            if checker.status(need.target, need.source, need.switches) != "resolved":
                missing.append(need)
        except SourceError as error:
            unread.append(f"not run: {need.cell} requires {need.target}: {error}")
    return missing, unread


def availability(checker: Checker, needs: Iterable[Required], others: Mapping[str, str]) -> list[Availability]:
    """One answer for each capability; ``others`` has another ref to compare with, by package."""
    return [_availability(checker, need, others.get(need.package, "")) for need in needs]


def _availability(checker: Checker, need: Required, other: str) -> Availability:
    pin = need.source.ref if isinstance(need.source, Git) and need.source.ref else str(need.source)
    found = Availability(cell=need.cell, capability=need.target, pin=pin, has="not run", other=other)
    try:
        found = replace(found, has=_WORDS[checker.status(need.target, need.source, need.switches)])
        if other:
            found = replace(found, then=_WORDS[checker.status(need.target, _at(need.source, other), need.switches)])
        return replace(found, window=str(checker.capability(need.target, need.source, need.switches).window))
    except SourceError as error:
        return replace(found, reason=str(error))


def _at(source: SourceSpec, ref: str) -> SourceSpec:
    match source:
        case Git(repo=repo) | Local(folder=repo):
            return Git(repo=repo, ref=ref)
    return source
