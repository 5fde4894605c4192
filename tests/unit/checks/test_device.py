"""GPUs as the kernel driver lists them."""

import threading
from pathlib import Path

import pytest

from rocmimg.checks.device import container_options, gfx_name, gpus, leased, why_none


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with a processor, an MI300X and an MI355X, as files."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    dev = tmp_path / "dev"
    (dev / "dri").mkdir(parents=True)
    for name in ("kfd", "dri/renderD128", "dri/renderD136"):
        (dev / name).touch()
    for node, (version, minor, name) in enumerate([(0, 0, ""), (90402, 128, "aqua_vanjaram"), (90500, 136, "mi355x")]):
        folder = tmp_path / "nodes" / str(node)
        folder.mkdir(parents=True)
        said = f"cpu_cores_count 0\ngfx_target_version {version}\ndrm_render_minor {minor}\n"
        (folder / "properties").write_text(said)
        (folder / "name").write_text(f"{name}\n")
    return gpus(tmp_path / "nodes", dev)


@pytest.mark.parametrize(
    ("version", "name"),
    [(90402, "gfx942"), (90500, "gfx950"), (90010, "gfx90a"), (110000, "gfx1100"), (120001, "gfx1201"),
     (120500, "gfx1250")],
)  # fmt: skip
def test_the_drivers_number_is_llvms_name(version, name):
    assert gfx_name(version) == name


def test_processors_are_no_gpus(machine):
    assert [(gpu.index, gpu.arch, gpu.render.rpartition("/")[2]) for gpu in machine] == [
        (0, "gfx942", "renderD128"),
        (1, "gfx950", "renderD136"),
    ]


def test_a_machine_without_the_driver_has_none(tmp_path):
    assert gpus(tmp_path / "nodes", tmp_path / "dev") == ()


def test_the_reason_names_what_was_found_and_what_is_needed(machine):
    assert why_none((), ("gfx942",)) == "no AMD GPU"
    assert why_none(machine[:1], ("gfx950",)) == "found gfx942, need gfx950"
    assert why_none(machine, ("gfx950",)) == ""


def test_one_gpu_serves_one_image_at_a_time(machine):
    order = []
    with leased(machine, ("gfx942",)) as (first,):
        waiting = threading.Thread(target=_lease_and_note, args=(machine, order))
        waiting.start()
        waiting.join(0.7)
        assert waiting.is_alive()
        order.append("first is done")
    waiting.join(30)
    assert order == ["first is done", first]


def _lease_and_note(machine, order):
    with leased(machine, ("gfx942",)) as (gpu,):
        order.append(gpu)


def test_no_gpu_that_fits_is_no_reason_to_wait(machine):
    with leased(machine, ("gfx1250",)) as taken:
        assert taken == ()


def test_a_container_gets_the_leased_gpu_alone(machine):
    kfd = Path(machine[1].render).parents[1] / "kfd"
    options = container_options(machine[1:], kfd)
    assert options["devices"] == (str(kfd), machine[1].render)
    assert options["ipc"] == "host"
    assert all(isinstance(group, int) for group in options["group_add"])
    assert container_options(()) == {}
