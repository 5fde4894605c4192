"""SGLang's and vLLM's own Dockerfiles as targets, over the trace's base. Opt-in: ROCMIMG_UPSTREAM names a folder with

    sglang/docker/rocm.Dockerfile, vllm/docker/Dockerfile.rocm_base and vllm/docker/Dockerfile.rocm

of upstream's repositories. They stay outside this one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tracing.parity import lenient_bases, portable

from rocmimg.engine.client import Engine
from rocmimg.lock.requests import lookup_requests
from rocmimg.matrix import Matrix, load, parse_set
from rocmimg.plan import make_plan
from rocmimg.plan.changed import after_change_of

UPSTREAM = os.environ.get("ROCMIMG_UPSTREAM", "")
pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(not UPSTREAM, reason="not run: ROCMIMG_UPSTREAM names no folder with upstream's Dockerfiles"),
]
PYTORCH = "rocm/pytorch:rocm7.2_ubuntu22.04_py3.10_pytorch_release_2.9.1"
ROCM_DEV = "rocm/dev-ubuntu-24.04:7.2.3-complete"
SGLANG = """\
defaults: {image: rocmimg-test/sglang, network: {engine_mode: none}}
targets:
  rocm720:
    gpu_archs: [gfx942, gfx950]
    flags: {ENABLE_MORI: true, NIC_BACKEND: ainic}
    dockerfile:
      path: docker/rocm.Dockerfile
      args:
        GPU_ARCH: "{arch}-rocm720"
        SGL_BRANCH: "{sglang.ref}"
        AITER_COMMIT: "{aiter.ref}"
        ENABLE_MORI: "{ENABLE_MORI}"
        NIC_BACKEND: "{NIC_BACKEND}"
    contents:
      sglang: {repo: https://github.com/sgl-project/sglang.git, ref: v0.5.10, framework: true}
      aiter: {repo: https://github.com/ROCm/aiter.git, ref: v0.1.11.post1, kernels: true}
"""
VLLM = """\
defaults: {image: rocmimg-test/vllm, network: {engine_mode: none}}
targets:
  base:
    gpu_archs: [{all: [gfx942, gfx950]}]
    dockerfile: {path: docker/Dockerfile.rocm_base, args: {PYTORCH_ROCM_ARCH: "{archs}"}}
  vllm:
    gpu_archs: [{all: [gfx942, gfx950]}]
    dockerfile:
      path: docker/Dockerfile.rocm
      stage: final
      args: {BASE_IMAGE: "rocmimg-test/vllm:{version}-base-all", ARG_PYTORCH_ROCM_ARCH: "{archs}", REMOTE_VLLM: 1}
"""


def matrix_of(folder: Path, project: str, text: str, *sets: str) -> Matrix:
    """A project with upstream's files as they are."""
    link = folder / "docker"
    if not link.exists():
        link.symlink_to(Path(UPSTREAM, project, "docker").resolve())
    (folder / "images.yaml").write_text(text)
    return load(folder / "images.yaml", sets=map(parse_set, sets))


def test_sglangs_file_is_planned_for_each_arch(tmp_path: Path) -> None:
    matrix = matrix_of(tmp_path, "sglang", SGLANG)
    plan = make_plan(matrix, [cell.id for cell in matrix.cells])
    for image in plan.images:
        assert image.base == PYTORCH
        assert f"{image.cell.arch}-rocm720" in image.stages[-1].uses
        assert len(image.stages) <= 3, "one flavour, what it copies from, and the final stage"
        assert [one.name for one in image.inputs if one.kind == "context"] == ["."], "its stage local_src copies all"
    ((request,),) = [[one for one in lookup_requests(matrix.cells) if one.section == "images"]]
    assert request.place == PYTORCH
    assert request.position.source.endswith("rocm.Dockerfile")
    assert request.position.line > 1
    (first, _) = after_change_of(plan, ["aiter"])
    assert list(first.stages) == [plan.images[0].stages[-1].name]


def test_vllms_files_are_two_cells_of_which_one_starts_from_the_other(tmp_path: Path) -> None:
    matrix = matrix_of(tmp_path, "vllm", VLLM)
    plan = make_plan(matrix, ["vllm-all"])
    assert [image.id for image in plan.images] == ["base-all", "vllm-all"]
    assert plan["vllm-all"].needs == "base-all"
    assert plan["vllm-all"].context == (), "REMOTE_VLLM clones"
    assert "fetch_vllm_1" in [stage.name for stage in plan["vllm-all"].stages]
    assert "fetch_vllm_0" not in [stage.name for stage in plan["vllm-all"].stages]


def test_sglangs_file_builds_over_the_stub_base(host_engine: Engine, project: Callable[[str], Any]) -> None:
    text = Path(UPSTREAM, "sglang/docker/rocm.Dockerfile").read_text()
    # A script of AITER's own, which the stub of its checkout does not have.
    text = text.replace('ENV BUILD_TRITON="1"', 'ENV BUILD_TRITON="0"')
    with lenient_bases(host_engine, text) as bases:
        made = project(SGLANG)
        write(
            made.folder, "docker/rocm.Dockerfile", text.replace(PYTORCH, bases[PYTORCH]), {"GPU_ARCH": "gfx942-rocm720"}
        )
        build(made, "rocm720-gfx942")


def test_vllms_files_build_over_the_stub_base(host_engine: Engine, project: Callable[[str], Any]) -> None:
    folder = Path(UPSTREAM, "vllm/docker")
    with lenient_bases(host_engine, ROCM_DEV) as bases:
        made = project(VLLM.replace("args: {PYTORCH", f"args: {{BASE_IMAGE: '{bases[ROCM_DEV]}', PYTORCH"))
        for name in ("Dockerfile.rocm_base", "Dockerfile.rocm"):
            write(made.folder, f"docker/{name}", (folder / name).read_text(), {})
        build(made, "vllm-all")


def write(folder: Path, name: str, text: str, arguments: dict[str, str]) -> None:
    """Upstream's text as an engine of before here-documents takes it."""
    text, scripts = portable(text, arguments)
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    for script in scripts:
        assert isinstance(script.data, bytes)
        (folder / script.path).write_bytes(script.data)


def build(made: Any, cell: str) -> None:
    done = made.run("build", cell, "--no-contract", "--json")
    rows = json.loads(done.stdout)
    assert [row["status"] for row in rows] == ["built"] * len(rows), done.stdout[-3000:]
    again = made.json("build", cell, "--no-contract")
    assert [row["status"] for row in again] == ["up-to-date"] * len(rows)
