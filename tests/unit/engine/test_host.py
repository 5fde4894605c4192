from __future__ import annotations

import os
from pathlib import Path

import pytest

from rocmimg.engine import host
from rocmimg.engine.reach import closure


@pytest.fixture
def dev(tmp_path: Path) -> Path:
    (tmp_path / "dri").mkdir()
    for name in ("kfd", "dri/renderD129", "dri/renderD128", "dri/card0"):
        (tmp_path / name).touch()
    return tmp_path


def test_kfd_and_the_render_nodes_are_found(dev: Path) -> None:
    assert host.gpu_nodes(dev) == (f"{dev}/kfd", f"{dev}/dri/renderD128", f"{dev}/dri/renderD129")


def test_render_nodes_of_another_vendor_are_not_amds(dev: Path) -> None:
    (dev / "kfd").unlink()
    assert host.gpu_nodes(dev) == ()


def test_groups_are_numbers_with_a_name_where_there_is_one(dev: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gid = os.stat(dev / "kfd").st_gid  # noqa: PTH116
    if os.geteuid() == 0:
        os.chown(dev / "kfd", -1, 54321)
        assert host.node_groups([f"{dev}/kfd", f"{dev}/dri/renderD128"]) == {54321: "54321"}
        gid = 54321
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(os, "getgroups", list)
    monkeypatch.setattr(os, "getegid", lambda: 1)
    assert host.missing_groups({gid: "render"}) == [gid]
    monkeypatch.setattr(os, "getgroups", lambda: [gid])
    assert host.missing_groups({gid: "render"}) == []


def test_a_program_comes_with_what_it_is_linked_with() -> None:
    paths = [file.path for file in closure(Path("/bin/sh"))]
    assert "root/bin/sh" in paths
    assert any("libc.so" in path for path in paths)
    assert any("ld-linux" in path or "ld.so" in path for path in paths)
