"""The pytest side of ``rocmimg test``: fixtures, which checks run, and results as JSON lines."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import threading
from collections.abc import Generator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from rocmimg.checks.api import MARK, Failure, Image, NotApplicable
from rocmimg.checks.job import CheckJob
from rocmimg.checks.model import CheckInfo, CheckResult, Finding, Waiver
from rocmimg.checks.pytest_process import STARTED

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
    threading.Thread(target=_end_with, args=(config.getoption("--rocmimg-ready"),), daemon=True).start()
    order = CheckJob.model_validate_json(path.read_bytes())
    config.stash[_ORDER] = order
    config.stash[_IMAGE] = Image(order, json.loads(order.probe.read_bytes()))
    return order


def _end_with(pipe: int) -> None:
    """End when the other end of the pipe is closed: the run that wants the results is gone."""
    with contextlib.suppress(OSError):
        while os.read(pipe, 1):
            pass
    os.kill(os.getpid(), signal.SIGKILL)


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
        digest=_digest(item.path),
    )


@cache
def _digest(path: Path) -> str:
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    seen: dict[str, str] = {}
    for item in items:
        info = describe(item)
        if info.id in seen:
            raise pytest.UsageError(f"two checks are called {info.id!r}: {seen[info.id]} and {item.nodeid}")
        seen[info.id] = item.nodeid
    if order := _take_order(config):
        chosen = [item for item in items if _is_wanted(describe(item), order)]
        left_out = [item for item in items if item not in chosen]
        items[:] = chosen
        config.hook.pytest_deselected(items=left_out)


def _is_wanted(info: CheckInfo, order: CheckJob) -> bool:
    return info.tier in order.tiers and (not order.checks or info.id in order.checks)


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
            self._broken.append(
                CheckResult(
                    id=name, tier="image", classes=(), status="failed", reason=why, findings=(Finding(what=why),)
                )
            )


def _write(order: CheckJob, result: CheckResult) -> None:
    _append(order, asdict(result))


def _append(order: CheckJob, record: Mapping[str, Any]) -> None:
    with order.results.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(record) + "\n")


def pytest_runtest_setup(item: pytest.Item) -> None:
    order = item.config.stash[_ORDER]
    info = describe(item)
    _append(order, {STARTED: info.id})
    if info.tier == "gpu" and not order.planned.archs:
        raise NotApplicable("there is no GPU code in the image, and nobody says which GPUs it is for")
    if info.tier == "gpu" and order.gpu is None:
        pytest.skip(order.no_gpu)


@pytest.fixture
def image(request: pytest.FixtureRequest) -> Image:
    """The image under test."""
    return request.config.stash[_IMAGE]


@pytest.fixture
def host(image: Image) -> Host:
    """The running container, as testinfra sees it."""
    return image.host()


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
        gpu = order.gpu if info.tier == "gpu" else None
        result = CheckResult(
            id=info.id,
            tier=info.tier,
            classes=info.classes,
            title=info.title,
            status="passed",
            digest=info.digest,
            started=datetime.fromtimestamp(call.start, UTC).isoformat(timespec="seconds"),
            seconds=round(call.duration, 4),
            device=f"{gpu.arch} {gpu.name}".strip() if gpu else "",
            archs=(gpu.arch,) if gpu else image.expect.archs,
            details=dict(image.notes),
        )
        result = evaluate(result, call.excinfo.value if call.excinfo else None, image.findings, image.unknown)
        _write(order, waived(result, order.waivers, datetime.now(UTC).date()))
        image.reset()
    return report


def evaluate(
    blank: CheckResult, error: BaseException | None, findings: Sequence[Finding], unknown: Sequence[str]
) -> CheckResult:
    """The result of a check that noted ``findings`` and what it could not tell, and ended with ``error`` or without."""
    found, unanswered = list(findings), list(unknown)
    if isinstance(error, Failure):
        found.append(Finding(what=error.what, cause=error.cause, fix=error.fix, path=error.path))
    elif isinstance(error, pytest.skip.Exception):
        unanswered.append(str(error.msg))
    elif isinstance(error, AssertionError | pytest.fail.Exception):
        found.append(Finding(what=str(error)[:_REASON_LIMIT]))
    elif error is not None and not isinstance(error, NotApplicable):
        found.append(Finding(what=f"the check itself broke: {type(error).__name__}: {error}"[:_REASON_LIMIT]))
    result = replace(blank, findings=tuple(found))
    if wrong := [one for one in found if one.level == "failure"]:
        return replace(result, status="failed", reason=_first(wrong), cause=wrong[0].cause, fix=wrong[0].fix)
    if unanswered:
        return replace(result, status="not-run", reason="; ".join(unanswered)[:_REASON_LIMIT])
    if isinstance(error, NotApplicable):
        return replace(result, status="not-applicable", reason=str(error)[:_REASON_LIMIT])
    return result


def waived(result: CheckResult, waivers: Sequence[Waiver], today: date) -> CheckResult:
    """``result`` with waivers applied: a finding is accepted until the waiver's date, and not a day longer."""
    if result.status != "failed":
        return result
    findings = tuple(_covered(result.id, one, waivers, today) for one in result.findings)
    open_ = [one for one in findings if one.level == "failure" and not one.waiver]
    result = replace(result, findings=findings)
    if open_:
        return replace(result, reason=_first(open_), cause=open_[0].cause, fix=open_[0].fix)
    first = next(one for one in findings if one.waiver)
    until = f"{first.waiver.reason} (until {first.waiver.until}): " if first.waiver else ""
    return replace(result, status="waived", reason=until + _first([one for one in findings if one.waiver]))


def _covered(check_id: str, finding: Finding, waivers: Sequence[Waiver], today: date) -> Finding:
    mine = [one for one in waivers if finding.level == "failure" and one.covers(check_id, finding.path)]
    for one in mine:
        if one.in_force(today):
            return replace(finding, waiver=one)
    return replace(finding, what=f"{finding.what} (its waiver ended on {mine[0].until})") if mine else finding


def _first(findings: Sequence[Finding]) -> str:
    more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
    return findings[0].what[:_REASON_LIMIT] + more
