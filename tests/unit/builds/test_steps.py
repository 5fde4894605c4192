"""The steps of a build, from events as engines report them."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from rocmimg.builds.observe import CellLog
from rocmimg.builds.results import CellResult, write_report
from rocmimg.builds.steps import CompilerCache, Step, StepName, StepRecorder, moment, own_step
from rocmimg.engine import Event, HistoryEntry, StepFinished, StepLog, StepStarted, Transfer
from rocmimg.engine.frames import Trace
from rocmimg.engine.podman import PodmanSteps

FRAMES = Path(__file__).parents[1] / "engine/frames"


def recorded(name: str) -> tuple[Step, ...]:
    trace, podman, recorder = Trace(), PodmanSteps(), StepRecorder()
    for line in map(json.loads, (FRAMES / f"{name}.jsonl").read_text().splitlines()):
        if line.get("id") == "moby.buildkit.trace":
            list(map(recorder.event, trace.decode(line["aux"])))
        elif "stream" in line and name.startswith("podman"):
            list(map(recorder.event, podman.decode(line["stream"])))
    list(map(recorder.event, [*trace.close(), *podman.close()]))
    return recorder.steps()


def begun(digest: str, name: str, at: float) -> StepStarted:
    return StepStarted(digest=digest, name=name, cached=False, started=at)


def ended(digest: str, name: str, at: float, seconds: float, *, cached: bool = False, error: str = "") -> StepFinished:
    return StepFinished(digest=digest, name=name, started=at, seconds=seconds, cached=cached, error=error)


def entry(created_by: str, size: int) -> HistoryEntry:
    return HistoryEntry(created_by=created_by, size=size, created=0.0, comment="")


@pytest.mark.parametrize(
    ("name", "place", "text"),
    [
        ("[aiter 3/7] RUN make", "aiter 3/7", "RUN make"),
        ("[stage-1 1/1] FROM x", "stage-1 1/1", "FROM x"),
        ("[2/3] RUN a [b 1/2] c", "image 2/3", "RUN a [b 1/2] c"),
        ("[linux/amd64 final 2/13] COPY a b", "final 2/13", "COPY a b"),
        ("[linux/amd64 2/13] COPY a b", "image 2/13", "COPY a b"),
        ("[base] pulling rocm/x:1", "base", "pulling rocm/x:1"),
        ("[internal] load metadata for docker.io/x", "engine", "[internal] load metadata for docker.io/x"),
        ("[auth] library/x:pull token for registry", "engine", "[auth] library/x:pull token for registry"),
        ("exporting to image", "engine", "exporting to image"),
        ("copy /context /", "engine", "copy /context /"),
        ("[sgl-kernel 10/11] RUN a\n b", "sgl-kernel 10/11", "RUN a\n b"),
    ],
)
def test_the_engines_name_says_stage_number_and_instruction(name: str, place: str, text: str) -> None:
    parsed = StepName.parse(name)
    assert (parsed.place, parsed.text) == (place, text)


@pytest.mark.parametrize("engine", ["docker20", "docker28", "podman"])
def test_recorded_builds_have_steps_in_order_with_times(engine: str) -> None:
    steps = recorded(f"{engine}-good")
    assert [step.started for step in steps] == sorted(step.started for step in steps)
    mine = [step for step in steps if step.name.number]
    assert mine
    assert all(0 < step.name.number <= step.name.of for step in mine)
    assert all(step.status == "done" and step.seconds >= 0 for step in mine)


def test_what_the_engine_had_is_cached() -> None:
    steps = [step for step in recorded("docker20-cached") if step.name.text.startswith("RUN")]
    assert steps
    assert {step.status for step in steps} == {"cached"}


def test_a_compiler_cache_counts_for_its_step(tmp_path: Path) -> None:
    recorder = StepRecorder()
    for digest, name in (("a", "[aiter 3/3] RUN make"), ("b", "[mori 3/3] RUN make")):
        recorder.event(begun(digest, name, 1.0))
        recorder.event(ended(digest, name, 1.0, 2.0))
    for digest, text in (
        ("a", "rocmimg-cache: ccache 19 hits, 1 misses, 22 not cacheable"),
        ("b", "rocmimg-cache: no ccache here"),
        ("b", "+ echo 'rocmimg-cache: ccache 1 hits, 1 misses, 1 not cacheable'"),
        ("unknown", "rocmimg-cache: ccache 1 hits, 1 misses, 1 not cacheable"),
    ):
        recorder.event(StepLog(digest=digest, stream=1, text=text, timestamp=1.0))
    compiled, other = recorder.steps()
    assert compiled.compiler_cache == CompilerCache(tool="ccache", hits=19, misses=1, uncacheable=22)
    assert other.compiler_cache is None
    assert [step.as_json()["compiler_cache"] for step in (compiled, other)] == [
        {"tool": "ccache", "hits": 19, "misses": 1, "uncacheable": 22},
        None,
    ]


def test_a_step_that_begins_twice_counts_where_it_took_longest() -> None:
    recorder = StepRecorder()
    for event in (begun("a", "[x 1/1] FROM y", 10), ended("a", "[x 1/1] FROM y", 10, 0.1),
                  begun("a", "[x 1/1] FROM y", 11), ended("a", "[x 1/1] FROM y", 11, 5.0)):  # fmt: skip
        recorder.event(event)
    (step,) = recorder.steps()
    assert (step.started, step.seconds, step.status) == (11, 5.0, "done")


def test_failed_cancelled_and_unfinished() -> None:
    recorder = StepRecorder()
    now = time.time()
    for event in (
        begun("a", "[x 1/3] RUN a", now - 9),
        ended("a", "[x 1/3] RUN a", now - 9, 3, error='process "a" did not complete successfully: exit code: 1'),
        begun("b", "[y 1/3] RUN b", now - 8),
        ended("b", "[y 1/3] RUN b", now - 8, 2, error="context canceled"),
        begun("c", "[z 1/3] RUN c", now - 7),
    ):
        recorder.event(event)
    assert [(step.name.stage, step.status) for step in recorder.steps()] == [
        ("x", "failed"),
        ("y", "cancelled"),
        ("z", "cancelled"),
    ]
    assert recorder.steps()[2].seconds >= 7


BUILT = (
    ("[base 1/2] FROM x", False),
    ("[base 2/2] RUN apt", True),
    ("[aiter 1/1] RUN make", False),
    ("[final 1/3] WORKDIR /w", False),
    ("[final 2/3] COPY --from=aiter /a /a", False),
    ("[final 3/3] RUN check", False),
)


def built() -> StepRecorder:
    recorder = StepRecorder()
    for number, (name, cached) in enumerate(BUILT):
        recorder.event(begun(name, name, number))
        recorder.event(ended(name, name, number, 1, cached=cached))
    return recorder


def test_layers_have_the_sizes_of_the_images_history() -> None:
    history = [
        entry("ADD rootfs.tar / # buildkit", 80), entry('CMD ["sh"]', 0), entry("RUN /bin/sh -c apt # buildkit", 7),
        entry("ENV a=b", 0), entry("WORKDIR /w", 0), entry("COPY /a /a # buildkit", 9), entry("LABEL c=d", 0),
        entry("RUN |1 X=y /bin/bash -c check # buildkit", 2),
    ]  # fmt: skip
    sizes = {step.name.place: step.layer_bytes for step in built().steps(history, ("base", "final"))}
    assert sizes == {
        "base 1/2": None, "base 2/2": 7, "aiter 1/1": None, "final 1/3": 0, "final 2/3": 9, "final 3/3": 2
    }  # fmt: skip


@pytest.mark.parametrize(
    "history",
    [
        [],
        [entry("RUN a", 1)],
        [entry(f"{kind} x", 1) for kind in ("RUN", "WORKDIR", "RUN", "COPY")],
        [entry("/bin/sh -c apt", 1), entry("/bin/sh -c check", 1)],
    ],
)
def test_a_history_of_other_steps_tells_no_sizes(history: list[HistoryEntry]) -> None:
    assert {step.layer_bytes for step in built().steps(history, ("base", "final"))} == {None}


def test_own_work_is_a_step_with_its_lines_and_its_bytes(tmp_path: Path) -> None:
    recorder, log = StepRecorder(), CellLog(tmp_path / "x.log")

    def report(event: Event) -> None:
        recorder.event(event)
        log.event(event, recorder.place(event.digest))

    with own_step("pulling x", report) as tell:
        tell("hello")
        for layer, current in (("l1", 10), ("l1", 30), ("l2", 5), ("l1", 20)):
            tell(Transfer(id=layer, what="Downloading", current=current, total=99))
    with pytest.raises(RuntimeError), own_step("pulling y", report):
        raise RuntimeError("no such image")
    log.close()
    first, second = recorder.steps()
    assert (first.name.place, first.status, first.transferred) == ("base", "done", 35)
    assert (second.name.text, second.status) == ("pulling y", "failed")
    text = (tmp_path / "x.log").read_text()
    assert "[base] hello\n" in text
    assert "FAILED: no such image" in text


def test_every_line_of_a_log_names_its_stage(tmp_path: Path) -> None:
    recorder, log = StepRecorder(), CellLog(tmp_path / "x.log")
    events: list[Event] = [
        begun("a", "[aiter 2/3] RUN make", 1),
        begun("b", "[triton 1/2] RUN cmake", 1),
        StepLog(digest="a", stream=1, text="one", timestamp=1.0),
        StepLog(digest="b", stream=2, text="two", timestamp=1.0),
        StepLog(digest="?", stream=2, text="three", timestamp=1.0),
    ]
    for event in events:
        recorder.event(event)
        log.event(event, recorder.place(event.digest))
    log.close()
    told = [line[10:] for line in (tmp_path / "x.log").read_text().splitlines()]
    assert told[-3:] == ["[aiter 2/3] one", "[triton 1/2] two", "[engine] three"]


def test_the_report_has_every_step(tmp_path: Path) -> None:
    result = CellResult(id="t-gfx942", status="built", started=5.0, seconds=9.5, steps=built().steps())
    never = CellResult(id="t-gfx950", status="cancelled", seconds=0)
    write_report([result, never], tmp_path / "report.json")
    first, second = json.loads((tmp_path / "report.json").read_text())
    assert (first["started"], first["ended"]) == ("1970-01-01T00:00:05.000Z", "1970-01-01T00:00:14.500Z")
    assert first["steps"][1] == {
        "stage": "base", "number": 2, "of": 2, "command": "RUN apt", "status": "cached", "cached": True,
        "started": moment(1), "ended": moment(2), "seconds": 1, "bytes": None, "transferred": None,
        "compiler_cache": None,
    }  # fmt: skip
    assert (second["started"], second["ended"], second["steps"]) == (None, None, [])


def test_a_line_before_a_long_silence_can_be_read(tmp_path: Path) -> None:
    log = CellLog(tmp_path / "x.log")
    log.line("=> [final 2/3] RUN make")
    log.line("[final 2/3] + make")
    assert (tmp_path / "x.log").read_text().endswith("+ make\n")
    log.close()
