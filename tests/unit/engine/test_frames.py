"""Decoding of what real engines said; frames/ holds recorded answers of POST /build, one JSON object a line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rocmimg.engine.events import Event, StepFinished, StepLog, StepStarted, Transfer
from rocmimg.engine.frames import Trace
from rocmimg.engine.podman import PodmanSteps

FRAMES = Path(__file__).parent / "frames"


def events(name: str) -> list[Event]:
    trace, podman = Trace(), PodmanSteps()
    found: list[Event] = []
    error = ""
    for line in map(json.loads, (FRAMES / f"{name}.jsonl").read_text().splitlines()):
        if line.get("id") == "moby.buildkit.trace":
            found += trace.decode(line["aux"])
        elif "stream" in line and name.startswith("podman"):
            found += podman.decode(line["stream"])
        error = line.get("error", error)
    return [*found, *trace.close(), *podman.close(error)]


def step(found: list[Event], part: str) -> StepFinished:
    (one,) = [event for event in found if isinstance(event, StepFinished) and part in event.name]
    return one


def lines(found: list[Event], digest: str) -> list[str]:
    return [event.text for event in found if isinstance(event, StepLog) and event.digest == digest]


@pytest.mark.parametrize("name", ["docker20-good", "docker28-good"])
def test_buildkit_frames_tell_steps_times_and_lines(name: str) -> None:
    found = events(name)
    said = step(found, "one says hi")
    assert 0 < said.seconds < 10
    assert (said.cached, said.error) == (False, "")
    assert sorted(lines(found, said.digest)) == ["and to stderr", "no newline, grüße", "one says hi"]
    streams = {event.text: event.stream for event in found if isinstance(event, StepLog)}
    assert (streams["one says hi"], streams["and to stderr"]) == (1, 2)
    assert all(event.timestamp > 1_700_000_000 for event in found if isinstance(event, StepLog))
    assert any(isinstance(event, Transfer) and event.what == "exporting layers" for event in found)


@pytest.mark.parametrize("name", ["docker20-good", "docker28-good", "docker20-cached", "podman-good"])
def test_a_step_starts_before_it_ends_and_its_lines_lie_between(name: str) -> None:
    state: dict[str, str] = {}
    for event in events(name):
        if isinstance(event, StepStarted):
            assert state.get(event.digest) != "started"
            state[event.digest] = "started"
        elif isinstance(event, StepFinished):
            assert state[event.digest] == "started"
            state[event.digest] = "finished"
        elif isinstance(event, StepLog) and event.digest:
            assert state[event.digest] == "started"
    assert set(state.values()) == {"finished"}


def test_cached_steps_say_so() -> None:
    found = events("docker20-cached")
    assert step(found, "one says hi").cached
    assert step(found, "cat /bin/sh2").cached
    assert not step(found, "exporting to image").cached


@pytest.mark.parametrize("name", ["docker20-failed", "docker28-failed", "podman-failed"])
def test_the_failed_step_carries_the_error(name: str) -> None:
    found = events(name)
    failed = [event for event in found if isinstance(event, StepFinished) and event.error]
    assert len(failed) == 1
    assert "exit 3" in failed[0].name
    assert "3" in failed[0].error
    assert {"before", "oops"} <= set(lines(found, failed[0].digest))


def test_podman_lines_become_the_same_events() -> None:
    found = events("podman-good")
    names = [event.name for event in found if isinstance(event, StepStarted)]
    assert names[0] == "[1/2] FROM scratch AS base"
    assert len(names) == 7
    assert "one says hi" in lines(found, step(found, "one says hi").digest)


def test_a_line_cut_inside_a_character_is_whole_again() -> None:
    from rocmimg.engine.frames import _Lines

    whole = "grüße\nzweite\r\ndritte".encode()
    for size in range(1, len(whole)):
        split = _Lines()
        pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
        got = [text for piece in pieces for text in split.feed(piece)]
        assert [*got, *split.feed(b"", final=True)] == ["grüße", "zweite", "dritte"]
