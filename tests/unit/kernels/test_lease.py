"""Several GPUs for one image."""

import threading

import pytest

from rocmimg.checks import device
from rocmimg.checks.job import Gpu

GPUS = tuple(
    Gpu(index=index, arch=arch, render=f"/dev/dri/renderD{128 + index}", name="MI300X")
    for index, arch in enumerate(["gfx942", "gfx942", "gfx950"])
)


@pytest.fixture(autouse=True)
def locks(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def test_several_gpus_are_of_one_architecture():
    with device.leased(GPUS, ["gfx950", "gfx942"], 2) as gpus:
        assert [gpu.arch for gpu in gpus] == ["gfx942", "gfx942"]
        assert device.describe(gpus) == "2 x gfx942 MI300X"


def test_more_than_there_are_is_all_there_are():
    with device.leased(GPUS, ["gfx942"], 8) as gpus:
        assert len(gpus) == 2


def test_too_few_that_are_free_are_not_kept():
    entered = threading.Event()

    def both():
        with device.leased(GPUS, ["gfx942"], 2):
            entered.set()

    with device.leased(GPUS, ["gfx942"]):
        thread = threading.Thread(target=both)
        thread.start()
        assert not entered.wait(0.2)
        with device.leased(GPUS, ["gfx942"]):  # the other one is still to be had
            pass
    assert entered.wait(10)
    thread.join()
