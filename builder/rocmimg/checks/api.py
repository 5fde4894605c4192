"""What a check is written with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar, cast

import pytest

from rocmimg.checks.job import CheckJob, Gpu
from rocmimg.checks.model import TIERS, Finding, Tier
from rocmimg.contract.probe import Names
from rocmimg.plan.expected import ExpectedImage

if TYPE_CHECKING:
    from testinfra.host import Host

    from rocmimg.engine import Container

NO_PYTHON: Final = "there is no Python in the image"
MARK: Final = "rocmimg_check"

F = TypeVar("F", bound=Callable[..., None])


class Failure(AssertionError):
    """A check's verdict: what is wrong, why, and what to do."""

    def __init__(self, what: str, cause: str, fix: str, path: str = "") -> None:
        self.what, self.cause, self.fix, self.path = what, cause, fix, path
        super().__init__("; ".join(part for part in (what, cause, fix) if part))


class NotApplicable(Exception):
    """There is nothing of the kind in the image; the plugin reports it as skipped."""


def check(check_id: str, *, tier: Tier, classes: Sequence[str] = ()) -> Callable[[F], F]:
    """Declare a check.

    ``check_id`` is its name in reports, waivers and ``rocmimg test --list``; ``tier`` is what it needs; ``classes`` are
    the failure classes that it catches. The first line of its docstring is its title.
    """
    if tier not in TIERS:
        raise ValueError(f"{check_id}: {tier!r} is not one of {', '.join(TIERS)}")
    return getattr(pytest.mark, MARK)(id=check_id, tier=tier, classes=tuple(classes))  # type: ignore[no-any-return]


def mark(check_id: str, *, tier: Tier, classes: Sequence[str] = ()) -> pytest.MarkDecorator:
    """:func:`check` for one parameter of a parametrized check."""
    return cast("pytest.MarkDecorator", check(check_id, tier=tier, classes=classes))


def fail(what: str, *, cause: str, fix: str, path: str = "") -> NoReturn:
    """The check fails and ends here: what is wrong, how that comes about, what to do. :meth:`Image.finding` goes on."""
    raise Failure(what, cause, fix, path)


def not_run(reason: str) -> NoReturn:
    """The proof could not be made here; it is reported as missing, never as passed."""
    pytest.skip(reason)


def not_applicable(reason: str) -> NoReturn:
    """The image has nothing that this check is about."""
    raise NotApplicable(reason)


class Probe(Mapping[str, Any]):
    """The probe's answer; a section that it could not fill is a proof that is missing."""

    def __init__(self, answer: Mapping[str, Any]) -> None:
        self._answer = answer

    @property
    def error(self) -> str:
        """Why the probe did not run at all; empty where it did."""
        return str(self._answer.get("error", ""))

    @property
    def kind(self) -> str:
        """Why it did not run inside: "no-python", "old-python", "broken-python"; empty where it did."""
        return str(self._answer.get("probe", {}).get("kind", "broken-python" if self.error else ""))

    def __getitem__(self, section: str) -> Any:
        found = self._answer.get(section, {"error": self.error or "it was not asked for"})
        if isinstance(found, dict) and set(found) == {"error"}:
            if self.kind == "no-python":
                not_applicable(NO_PYTHON)
            not_run(f"the probe found no {section}: {found['error']}")
        return found

    def get(self, section: str, default: Any = None) -> Any:
        """A section as it is, also where it is {"error": ...}."""
        return self._answer.get(section, default)

    def __iter__(self) -> Iterator[str]:
        return iter(self._answer)

    def __len__(self) -> int:
        return len(self._answer)


class Image:
    """The image under test: the fixture ``image``."""

    def __init__(self, order: CheckJob, probe: Mapping[str, Any]) -> None:
        self._order = order
        self.expect: ExpectedImage = order.planned
        """What the plan says."""
        self.detail: Mapping[str, Any] = order.detail
        """The image's configuration as the engine says it: :class:`rocmimg.engine.ImageDetail` as a mapping."""
        self.history: Sequence[Mapping[str, Any]] = order.history
        """Its layers, oldest first: :class:`rocmimg.engine.HistoryEntry` as mappings."""
        self.probe = Probe(probe)
        """What the probe found inside; see rocmimg/checks/probe/main.py for its keys."""
        self.gpu: Gpu | None = order.gpu
        """The device that this run has leased."""
        self.folder: Path = order.folder
        """A folder of this run for files that a check wants to keep."""
        self.contract: Sequence[Names] = order.contract
        """Names that the cell's framework uses, with what the sources at the pins say of them."""
        self.no_contract: str = order.no_contract
        """Why ``contract`` is not known."""
        self.restricted: bool = "restricted" in order.conditions
        """Whether the image is to be tried as platforms run it that give a container little."""
        """Where the kernel pack of this image is wanted."""
        self.notes: dict[str, Any] = {}
        """Facts of the running check for the report, as JSON takes them; see :meth:`note`."""
        self.findings: list[Finding] = []
        """What the running check found; see :meth:`finding`."""
        self.unknown: list[str] = []
        """What the running check could not tell; see :meth:`unproven`."""

    def finding(self, what: str, *, cause: str, fix: str, path: str = "") -> None:
        """The check fails, and goes on. ``path`` is the file in the image, by which a waiver can name this finding."""
        self.findings.append(Finding(what=what, path=path, cause=cause, fix=fix))

    def remark(self, what: str, *, path: str = "") -> None:
        """Say something that is not a failure, as a note in the report."""
        self.findings.append(Finding(what=what, path=path, level="note"))

    def unproven(self, reason: str) -> None:
        """A part of the proof cannot be made; the check goes on, and is "not run" where it finds nothing else."""
        if reason not in self.unknown:
            self.unknown.append(reason)

    def need_plan(self) -> None:
        """End the check as not applicable where images.yaml does not describe the image."""
        if not self.expect.planned:
            not_applicable("no plan: images.yaml does not describe this image")

    def reset(self) -> None:
        """Forget what the last check said."""
        self.findings.clear()
        self.unknown.clear()
        self.notes.clear()

    def note(self, **facts: Any) -> None:
        """Add facts to the report of the running check, whatever its verdict."""
        self.notes.update(facts)

    def host(self, **options: Any) -> Host:
        """The running container as testinfra sees it, with other limits than the fixture ``host`` has.

        ``options``: timeout in seconds, user, env, stdin, output_limit in bytes.
        """
        from rocmimg.checks.backend import host_of

        return host_of(self.container, **options)

    @cached_property
    def container(self) -> Container:
        """The running container, for checks that must run something of their own."""
        from rocmimg.engine import connect

        if not self._order.container:
            not_applicable("nothing can be run in the image: it has no shell")
        return connect().attach(self._order.container)
