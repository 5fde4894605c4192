"""What a build tells a log: steps that ended, and a sign of life of those that take long."""

from __future__ import annotations

import pytest

from rocmimg.builds.observe import PlainView
from rocmimg.builds.progress import Progress, clock
from rocmimg.builds.results import CellResult
from rocmimg.engine import StepFinished, StepLog, StepStarted, Transfer
from rocmimg.errors import BuildError


class Run:
    """A plain view and its clock."""

    def __init__(self, *, verbose: bool = False) -> None:
        self.now = 0.0
        self.view = PlainView(verbose=verbose, progress=Progress(lambda: self.now))
        self.view.planned(["a", "b"])

    def begin(self, digest: str, name: str) -> None:
        self.view.event("a", StepStarted(digest=digest, name=name, cached=False, started=self.now))

    def write(self, digest: str, text: str) -> None:
        self.view.event("a", StepLog(digest=digest, stream=1, text=text, timestamp=0))

    def end(self, digest: str, name: str, **more: str) -> None:
        self.view.event("a", StepFinished(digest=digest, name=name, started=0, seconds=2, cached=False, **more))

    def beat_until(self, moment: float) -> None:
        while self.now < moment:
            self.now += 1
            self.view.beat()


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]):
    return lambda: capsys.readouterr().err.splitlines()  # noqa: PLW0108 - read when it is called


def test_a_long_step_gives_a_sign_of_life_every_half_minute(told) -> None:
    run = Run()
    run.begin("1", "[aiter 2/3] RUN make")
    run.beat_until(29)
    assert told() == []
    run.write("1", "[1/9] Building x.cpp")
    run.write("1", "++ a trace")
    run.beat_until(31)
    assert told() == ["a: [aiter 2/3] runs for 0:30: [1/9] Building x.cpp"]
    run.write("1", "[5/9] Building y.cpp")
    run.beat_until(95)
    assert told() == [
        "a: [aiter 2/3] runs for 1:00: [5/9] Building y.cpp",
        "a: [aiter 2/3] runs for 1:30: [5/9] Building y.cpp",
    ]
    run.end("1", "[aiter 2/3] RUN make")
    run.beat_until(200)
    assert told() == ["a: [aiter 2/3] RUN make 2.0s"]


def test_a_step_that_begins_again_is_counted_anew(told) -> None:
    run = Run()
    run.begin("1", "[x 1/3] FROM y")
    run.beat_until(40)
    run.end("1", "[x 1/3] FROM y")
    run.begin("1", "[x 1/3] FROM y")
    told()
    run.beat_until(69)
    assert told() == []
    run.beat_until(70)
    assert told() == ["a: [x 1/3] runs for 0:30"]


def test_a_pull_and_an_export_give_one_as_well(told) -> None:
    run = Run()
    run.begin("p", "[base] pulling rocm/x:1")
    run.view.event("a", Transfer(id="l", what="Downloading", current=5_000_000, total=10_000_000, digest="p"))
    run.beat_until(30)
    assert told() == ["a: [base] runs for 0:30: Downloading 5 of 10 MB"]
    run.end("p", "[base] pulling rocm/x:1")
    run.begin("e", "exporting to image")
    run.view.event("a", Transfer(id="exporting layers", what="exporting layers", current=0, total=0, digest="e"))
    told()
    run.beat_until(60)
    assert told() == ["a: [engine] runs for 0:30: exporting layers"]


def test_what_has_no_steps_gives_one_too_and_transfers_are_told_once(told) -> None:
    run = Run()
    for what in ("Downloading 1 of 9 MB", "Downloading 2 of 9 MB", "reading the image", "reading the image"):
        run.view.started("a", what)
    assert told() == ["a: Downloading", "a: reading the image"]
    run.beat_until(29)
    run.view.started("a", "aot-hip-rmsnorm")
    told()
    run.beat_until(60)
    assert told() == ["a: aot-hip-rmsnorm runs for 0:30"]


def test_verbose_tells_every_line_with_its_stage(told) -> None:
    run = Run(verbose=True)
    run.begin("1", "[aiter 2/3] RUN make")
    run.write("1", "+ make")
    run.write("1", "  50%\r 100% done")
    assert told() == ["a: [aiter 2/3] + make", "a: [aiter 2/3]  100% done"]


def test_the_end_of_a_cell_says_why(told) -> None:
    run = Run()
    error = BuildError("[aiter 2/3] RUN make failed", why="exit code 2")
    lines = tuple(f"line {n}" for n in range(20))
    run.view.finished(CellResult(id="a", status="failed", seconds=3, started=1.0, error=error, last_lines=lines))
    run.view.finished(CellResult(id="b", status="cancelled", seconds=0, reasons=("the run was stopped",)))
    assert told() == [
        "a: failed in 3.0s: [aiter 2/3] RUN make failed; exit code 2",
        *(f"a:   line {n}" for n in range(15, 20)),
        "b: never started: the run was stopped",
    ]


def test_times_are_read_at_a_glance() -> None:
    assert [clock(seconds) for seconds in (0, 7.9, 61, 3599, 3600, 36061)] == [
        "0:00", "0:07", "1:01", "59:59", "1:00:00", "10:01:01",
    ]  # fmt: skip
