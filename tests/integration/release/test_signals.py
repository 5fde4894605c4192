"""SIGTERM, one and two Ctrl-C during a promotion and a rollback: what the next command makes of it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from release.registries import FaultyProxy
from release.world import World
from rocmimg.checks import suites
from rocmimg.errors import RocmimgError
from rocmimg.registry.transport import Transport
from rocmimg.release import transaction

SLOW = bool(os.environ.get("ROCMIMG_TEST_SLOW"))
SOME = 5 if SLOW else 50
MORE = pytest.mark.skipif(not SLOW, reason="takes minutes: ROCMIMG_TEST_SLOW=1 runs it")
Act = Callable[[World], None]
ACTS: dict[str, Act] = {"promotion": lambda world: world.promote("v2"), "rollback": lambda world: world.rollback("v1")}


@pytest.fixture
def world(tmp_path: Path, proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch) -> World:
    """v1 is out, v2 is proven; in front of the registry stands a proxy that counts."""
    monkeypatch.setattr(transaction, "PATIENCE_S", 0.0)
    known = suites.listed()
    monkeypatch.setattr(suites, "listed", lambda _folder=None: known)
    folder = tmp_path / "project"
    folder.mkdir()
    made = World(folder, proxy.host)
    made.candidate("v1")
    made.promote("v1")
    made.candidate("v2")
    return made


def _states(tmp_path: Path) -> Iterator[int]:
    """The registry as it is now, again and again, with the numbers of the requests after which something happens."""
    storage, kept = tmp_path / "registry/data", tmp_path / "registry/kept"
    shutil.copytree(storage, kept)
    for number in range(1, 1000, SOME):
        shutil.rmtree(storage)
        shutil.copytree(kept, storage)
        yield number


def _require_settled(world: World, act: str) -> None:
    """After the next command of that kind: whole, nothing unfinished, every name with its proofs."""
    if act == "promotion":
        world.promote("v2")
        assert world.require_whole() == "v2"
    else:
        world.release("v2").settle()
        assert world.require_whole() in ("v1", "v2")


@pytest.mark.parametrize(
    ("act", "times"),
    [
        ("promotion", 2),
        ("rollback", 1),
        *[pytest.param(*more, marks=MORE) for more in (("promotion", 1), ("rollback", 2))],
    ],
)
def test_ctrl_c_after_any_request(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, act: str, times: int
) -> None:
    """A second one comes three requests later, while names are put back."""
    if act == "rollback":
        world.promote("v2")
    points = 0
    for number in _states(tmp_path):
        ended = False
        with _pressed([number + 3 * more for more in range(times)], monkeypatch) as (pressed, sent):
            try:
                ACTS[act](world)
                ended = True
            except (KeyboardInterrupt, RocmimgError):
                pass
        if ended:
            assert world.require_whole() == ("v2" if act == "promotion" else "v1")
        _require_settled(world, act)
        if not pressed:
            assert len(sent) <= number
            break
        points += 1
    print(f"{points} points")
    assert points > 1


@contextlib.contextmanager
def _pressed(at: list[int], monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[list[int], list[str]]]:
    """A real SIGINT after these numbers of requests; those that came, and what was sent."""
    sent: list[str] = []
    pressed: list[int] = []
    lock, real = threading.Lock(), Transport._send

    def send(self: Transport, method: str, url: str, **arguments: Any) -> Any:
        answer = real(self, method, url, **arguments)
        with lock:
            sent.append(f"{method} {url}")
            due = [number for number in at if number <= len(sent) and number not in pressed]
            pressed.extend(due)
        for _ in due:
            signal.raise_signal(signal.SIGINT)
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(Transport, "_send", send)
        yield pressed, sent


SIGNALS = (
    ((signal.SIGTERM,), (-15, 143)),
    ((signal.SIGINT,), (130,)),
    ((signal.SIGINT, signal.SIGINT), (130, -2)),
)


@pytest.mark.parametrize("act", ["promotion", pytest.param("rollback", marks=MORE)])
def test_signals_to_the_command_in_the_middle(world: World, proxy: FaultyProxy, tmp_path: Path, act: str) -> None:
    """While the first alias moves: an intent is there, and other names are to follow."""
    if act == "rollback":
        world.promote("v2")
    verb = "promote" if act == "promotion" else "rollback"
    command = [
        sys.executable,
        "-m",
        "rocmimg",
        verb,
        "--target",
        "app",
        "--set",
        "version=v2",
        "--set",
        "env.RELEASE=v2",
    ]
    for (numbers, codes), _ in zip(SIGNALS if SLOW else SIGNALS[:1], _states(tmp_path), strict=False):
        proxy.seen.clear()
        proxy.delay_s = 0.05
        with subprocess.Popen(
            command, cwd=world.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        ) as process:
            _wait(lambda: any(one.startswith("PUT") and "-latest" in one for one in proxy.seen), process)
            for number in numbers:
                process.send_signal(number)
                time.sleep(0.1)
            _, said = process.communicate(timeout=120)
        proxy.delay_s = 0.0
        if process.returncode == 0:
            assert world.require_whole() == ("v2" if act == "promotion" else "v1")
        else:
            assert process.returncode in codes, said
        assert "Traceback" not in said
        _require_settled(world, act)


def _wait(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
