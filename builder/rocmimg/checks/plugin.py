"""The pytest side of ``rocmimg test``: fixtures, which checks run, and results as JSON lines."""

from __future__ import annotations

import json
import os
from collections.abc import Generator
from dataclasses import asdict, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from rocmimg.checks.api import MARK, Failure, Image, NotApplicable
from rocmimg.checks.job import CheckJob
from rocmimg.checks.model import CheckInfo, CheckResult, Status

if TYPE_CHECKING:
    from testinfra.host import Host

_ORDER: Final = pytest.StashKey[CheckJob]()
_IMAGE: Final = pytest.StashKey[Image]()
_REASON_LIMIT: Final = 2000


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rocmimg-order", type=Path, help="The image to judge.")
    parser.addoption("--rocmimg-ready", type=int, help="A pipe that says when the order is written.")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"{MARK}(id, tier, classes): a check of an image")
    if config.getoption("--rocmimg-order"):
        config.pluginmanager.register(Recorder())


def _take_order(config: pytest.Config) -> CheckJob | None:
    """The order, waited for; None where pytest only collects."""
    path = config.getoption("--rocmimg-order")
    if not path:
        return None
    if not os.read(config.getoption("--rocmimg-ready"), 1):
        pytest.exit("there is nothing to judge any more")
    order = CheckJob.model_validate_json(path.read_bytes())
    config.stash[_ORDER] = order
    config.stash[_IMAGE] = Image(order, json.loads(order.probe.read_bytes()))
    return order


def describe(item: pytest.Item) -> CheckInfo:
    """What a check says of itself; without a declaration it is one of the import tier, called like its function."""
    mark = item.get_closest_marker(MARK)
    said = mark.kwargs if mark else {}
    function = getattr(item, "function", None)
    return CheckInfo(
        id=said.get("id", item.name),
        tier=said.get("tier", "import"),
        classes=said.get("classes", ()),
        title=((getattr(function, "__doc__", "") or "").strip().splitlines() or [""])[0],
        path=str(item.path),
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    seen: dict[str, str] = {}
    for item in items:
        info = describe(item)
        if info.id in seen:
            raise pytest.UsageError(f"two checks are called {info.id!r}: {seen[info.id]} and {item.nodeid}")
        seen[info.id] = item.nodeid
    if order := _take_order(config):
        left_out = [item for item in items if describe(item).tier not in order.tiers]
        items[:] = [item for item in items if describe(item).tier in order.tiers]
        config.hook.pytest_deselected(items=left_out)


class Recorder:
    """Announces what is going to run, so that what never came to its end is missed; and files that cannot be read."""

    def __init__(self) -> None:
        self._broken: list[CheckResult] = []

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        order = session.config.stash[_ORDER]
        for item in session.items:
            info = describe(item)
            _write(
                order,
                CheckResult(id=info.id, tier=info.tier, classes=info.classes, title=info.title, status="not-run"),
            )
        for result in self._broken:
            _write(order, result)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            why = f"it cannot be read: {report.longreprtext[-_REASON_LIMIT:]}"
            name = Path(report.nodeid).stem
            self._broken.append(CheckResult(id=name, tier="image", classes=(), status="failed", reason=why))


def _write(order: CheckJob, result: CheckResult) -> None:
    with order.results.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(asdict(result)) + "\n")


def pytest_runtest_setup(item: pytest.Item) -> None:
    order = item.config.stash[_ORDER]
    if describe(item).tier == "gpu" and order.gpu is None:
        pytest.skip(order.no_gpu)


@pytest.fixture
def image(request: pytest.FixtureRequest) -> Image:
    """The image under test."""
    return request.config.stash[_IMAGE]


@pytest.fixture
def host(image: Image) -> Host:
    """The running container, as testinfra sees it."""
    from testinfra.host import Host

    from rocmimg.checks.backend import ContainerBackend

    return Host(ContainerBackend(image.container))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if call.excinfo and isinstance(call.excinfo.value, NotApplicable):
        report.outcome, report.longrepr = "skipped", (str(item.path), 0, str(call.excinfo.value))
    if call.when == "call" or (call.when == "setup" and not report.passed):
        order = item.config.stash[_ORDER]
        image = item.config.stash[_IMAGE]
        info = describe(item)
        verdict = _verdict(call)
        result = CheckResult(
            id=info.id,
            tier=info.tier,
            classes=info.classes,
            title=info.title,
            seconds=round(call.duration, 4),
            details=dict(image.notes),
            **verdict,
        )
        image.notes.clear()
        _write(order, waived(result, order, datetime.now(UTC).date()))
    return report


def _verdict(call: pytest.CallInfo[None]) -> dict[str, Any]:
    status: Status
    if call.excinfo is None:
        return {"status": "passed"}
    error = call.excinfo.value
    if isinstance(error, Failure):
        return {"status": "failed", "reason": error.what, "cause": error.cause, "cure": error.cure}
    if isinstance(error, NotApplicable):
        status, reason = "not-applicable", str(error)
    elif isinstance(error, pytest.skip.Exception):
        status, reason = "not-run", str(error.msg)
    elif isinstance(error, AssertionError | pytest.fail.Exception):
        status, reason = "failed", str(error)
    else:
        status, reason = "failed", f"the check itself broke: {type(error).__name__}: {error}"
    return {"status": status, "reason": reason[:_REASON_LIMIT]}


def waived(result: CheckResult, order: CheckJob, today: date) -> CheckResult:
    """``result`` with a waiver applied: a failure is borne until the waiver's date, and not a day longer."""
    waiver = next((waiver for waiver in order.waivers if waiver.check == result.id), None)
    if waiver is None or result.status != "failed":
        return result
    if date.fromisoformat(waiver.until) < today:
        return replace(result, reason=f"{result.reason} (its waiver ended on {waiver.until})")
    return replace(result, status="waived", reason=f"{waiver.reason} (until {waiver.until}): {result.reason}")
