"""Specifications of the Container Device Interface, in the shape that AMD's container toolkit writes."""

from __future__ import annotations

import json
from pathlib import Path

from rocmimg.engine.cdi import names_for, specified


def device(name: str, *nodes: str) -> dict[str, object]:
    return {"name": name, "containerEdits": {"deviceNodes": [{"path": path} for path in (*nodes, "/dev/kfd")]}}


def write(folder: Path, name: str, kind: str, *devices: dict[str, object]) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(json.dumps({"cdiVersion": "0.6.0", "kind": kind, "devices": devices}))


def test_each_gpu_alone_has_a_name_and_all_of_them_are_none(tmp_path: Path) -> None:
    first = device("0", "/dev/dri/card1", "/dev/dri/renderD128")
    second = device("1", "/dev/dri/card2", "/dev/dri/renderD136")
    both = device("all", "/dev/dri/renderD128", "/dev/dri/renderD136")
    write(tmp_path / "cdi", "amd.json", "amd.com/gpu", first, second, both)
    write(tmp_path / "cdi", "other.yaml", "example.com/gpu", device("0", "/dev/dri/renderD200"))
    folders = [str(tmp_path / "none"), str(tmp_path / "cdi")]
    assert specified(folders) == {"/dev/dri/renderD128": "amd.com/gpu=0", "/dev/dri/renderD136": "amd.com/gpu=1"}
    assert names_for(["/dev/dri/renderD136"], folders) == ("amd.com/gpu=1",)
    assert names_for(["/dev/dri/renderD136", "/dev/dri/renderD200"], folders) == ()
    assert names_for(["/dev/dri/renderD136"], []) == ()


def test_what_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    write(tmp_path, "amd.yaml", "amd.com/gpu", device("0", "/dev/dri/renderD128"))
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "list.yaml").write_text("- a\n")
    (tmp_path / "text.txt").write_text("kind: amd.com/gpu\n")
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe")
    assert specified([str(tmp_path)]) == {"/dev/dri/renderD128": "amd.com/gpu=0"}
