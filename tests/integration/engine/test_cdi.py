"""GPUs by the Container Device Interface, on Docker 28 with a made-up specification of the shape of AMD's toolkit."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from rocmimg.checks import device
from rocmimg.checks.job import Gpu
from rocmimg.checks.offered import offered
from rocmimg.engine import ContainerSpec
from rocmimg.engine.client import Engine
from rocmimg.errors import EngineError

from .conftest import BASE, asked, build_base, isolated, open_engine


def entry(name: str, *numbers: int) -> dict[str, object]:
    nodes = [{"path": f"/dev/dri/renderD{number}", "hostPath": "/dev/null"} for number in numbers]
    nodes.append({"path": "/dev/kfd", "hostPath": "/dev/zero"})
    return {"name": name, "containerEdits": {"deviceNodes": nodes}}


@pytest.fixture(scope="module", params=asked("docker28"))
def described(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An engine that reads a specification of two GPUs."""
    state = tmp_path_factory.mktemp("cdi")
    spec = {
        "cdiVersion": "0.6.0",
        "kind": "amd.com/gpu",
        "devices": [entry("0", 200), entry("1", 201), entry("all", 200, 201)],
    }
    (state / "cdi").mkdir()
    (state / "cdi/amd.json").write_text(json.dumps(spec))
    with (
        isolated(request.param, state, "--cdi-spec-dir", "{state}/cdi") as started,
        open_engine(started) as engine,
    ):
        build_base(engine)
        yield engine


def test_the_leased_gpu_is_asked_for_by_its_name(described: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "node_groups", lambda _: {4711: "render"})
    gpu = Gpu(index=1, arch="gfx942", render="/dev/dri/renderD201")
    options = device.container_options([gpu], cdi_folders=described.info.cdi_folders)
    assert (options["cdi"], options["devices"]) == (("amd.com/gpu=1",), ())
    with described.run(ContainerSpec(image=BASE, **options)) as container:
        said = container.exec(["sh", "-c", "ls /dev/dri /dev/kfd; id -G"], timeout=60).stdout.decode()
    assert said.split() == ["/dev/kfd", "/dev/dri:", "renderD201", "0", "4711"]


def test_what_no_specification_has_is_asked_for_by_its_node(described: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "node_groups", lambda _: {})
    gpu = Gpu(index=0, arch="gfx942", render="/dev/dri/renderD128")
    options = device.container_options([gpu], cdi_folders=described.info.cdi_folders)
    assert (options["cdi"], options["devices"]) == ((), ("/dev/kfd", "/dev/dri/renderD128"))


def test_a_name_that_is_not_there_is_an_engine_error(described: Engine) -> None:
    with (
        pytest.raises(EngineError, match=r"amd\.com/gpu=7"),
        described.run(ContainerSpec(image=BASE, cdi=("amd.com/gpu=7",))),
    ):
        pass


def test_what_a_remote_engine_offers_is_tried(described: Engine) -> None:
    assert "amd.com/gpu=all" in described.info.cdi_devices
    assert "a container that it gives amd.com/gpu=all sees no AMD GPU" in offered(described, BASE).reason


def test_an_engine_that_reads_no_specification_offers_nothing(engine: Engine) -> None:
    assert "says of no amd.com/gpu=all" in offered(engine, BASE).reason
