"""What doctor makes of an engine's answers; tests/integration/engine/test_doctor.py asks real ones."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Self

import pytest

from rocmimg.engine import StepFailed, doctor
from rocmimg.engine.caches import CacheMount
from rocmimg.engine.reach import Reach
from rocmimg.errors import EngineError


class Engine:
    """Answers as it is told."""

    url = "unix:///x.sock"

    def __init__(self, **said: Exception) -> None:
        self.said = said
        self.info = SimpleNamespace(
            kind="docker", version="1", api_version="1.41", storage_driver="overlay2", root_dir="/none", url=self.url,
            cdi_folders=(), cdi_devices=(),
        )  # fmt: skip

    @property
    def remote(self) -> bool:
        return not self.url.startswith("unix://")

    def caches(self) -> list[CacheMount]:
        sizes = {"git": 2_000_000, "apt": 7_000_000, "wheels": 0}
        return [CacheMount(id=kind, kind=kind, size=size, used="", in_use=False) for kind, size in sizes.items()]

    def build(self, *_: object) -> None:
        if "build" in self.said:
            raise self.said["build"]

    def run(self, _: object) -> None:
        raise self.said["run"]

    def remove(self, *_: object, force: bool) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def found(engine: Engine, monkeypatch: pytest.MonkeyPatch, network: str = "ok") -> dict[str, doctor.Finding]:
    monkeypatch.setattr(doctor, "connect", lambda: engine)
    monkeypatch.setattr(doctor, "reach", lambda *_: Reach(status=network, detail="x", next_step="y"))
    return {one.id: one for one in doctor.examine()}


def test_a_storage_fault_is_told_in_the_engines_words_and_not_as_a_firewall(monkeypatch: pytest.MonkeyPatch) -> None:
    reason = "creating build container: mount /x: fuse: failed to open /dev/fuse: Permission denied: exit status 1"
    said = found(Engine(build=StepFailed(reason, step="[1/2] FROM scratch")), monkeypatch)
    assert "/dev/fuse: Permission denied" in said["build"].detail
    assert "storage" in said["build"].next_step
    assert said["build"].exit_code == 7
    assert {said[name].status for name in ("container", "network default", "network host")} == {"not run"}


def test_containers_that_cannot_start_end_with_the_engines_code(monkeypatch: pytest.MonkeyPatch) -> None:
    said = found(Engine(run=EngineError("cannot start a container", why="no cgroup")), monkeypatch)
    assert (said["container"].status, said["container"].exit_code) == ("problem", 5)
    assert "no cgroup" in said["container"].detail
    assert said["container"].next_step


@pytest.mark.parametrize(("network", "code"), [("problem", 20), ("ok", 0), ("not run", 0)])
def test_no_network_in_any_mode_has_a_code_of_its_own(monkeypatch: pytest.MonkeyPatch, network: str, code: int) -> None:
    said = found(Engine(run=EngineError("x")), monkeypatch, network)
    assert {said[f"network {mode}"].exit_code for mode in ("default", "host")} == {code}


def test_the_caches_are_told_by_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    said = found(Engine(run=EngineError("x")), monkeypatch)["caches"]
    assert (said.status, said.detail.partition(";")[0]) == ("ok", "apt 7 MB, git 2 MB")


@pytest.mark.parametrize("url", ["tcp://10.0.0.1:2376", "ssh://user@host"])
def test_of_a_remote_engine_nothing_is_said_from_this_machine(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    engine = Engine(run=EngineError("x"))
    engine.url = url
    said = found(engine, monkeypatch)
    for name in ("disk", "gpu", "groups"):
        assert said[name].status == "not run"
        assert "remote" in said[name].detail


def test_of_a_remote_engine_the_gpus_are_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(run=EngineError("x"))
    engine.url = "tcp://10.0.0.1:2376"
    engine.info.cdi_devices = ("example.com/nic=0", "amd.com/gpu=0", "amd.com/gpu=all")
    said = found(engine, monkeypatch)
    assert said["gpu"].status == "ok"
    assert said["gpu"].detail == "the engine gives them by CDI: amd.com/gpu=0 amd.com/gpu=all"
    assert said["groups"].status == "not run"
