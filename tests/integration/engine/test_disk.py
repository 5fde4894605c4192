"""An engine whose disk runs full, for real: its data lies on a small file system."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rocmimg.engine import BuildRequest
from rocmimg.engine.context import ContextFile
from rocmimg.errors import DiskFullError

from .conftest import BASE, asked, build_base, isolated, open_engine


@pytest.mark.parametrize("name", asked("docker", "podman"))
def test_a_full_disk_has_its_own_error_and_costs_nothing_built(name: str, tmp_path: Path) -> None:
    with isolated(name, tmp_path, data_size="200m") as started, open_engine(started) as engine:
        build_base(engine)
        before = engine.image(BASE)
        with pytest.raises(DiskFullError):
            engine.build(
                BuildRequest(dockerfile=f"FROM {BASE}\nRUN dd if=/dev/zero of=/x bs=1M count=300\n"), lambda _: None
            )
        # Full while the context is being sent.
        big = tmp_path / "big"
        with big.open("wb") as file:
            for _ in range(300):
                file.write(os.urandom(1 << 20))
        with pytest.raises(DiskFullError):
            engine.build(
                BuildRequest(dockerfile=f"FROM {BASE}\nCOPY big /big\n", context=[ContextFile(path="big", data=big)]),
                lambda _: None,
            )
        assert engine.image(BASE) == before
