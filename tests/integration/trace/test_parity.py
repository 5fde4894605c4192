"""`make parity`: another Dockerfile over the same stub base, against a cell."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_honesty import CELL, IMAGES
from tracing.parity import compare, ours, upstream

from rocmimg.engine.client import Engine

pytestmark = pytest.mark.engine

DOCKERFILE = """\
ARG BASE="rocm/pytorch:rocm7.2_ubuntu22.04_py3.10_pytorch_release_2.9.1"
FROM $BASE
ARG GPU_ARCH
ENV ARCHS=${GPU_ARCH%-*}
ENV HSA_NO_SCRATCH_RECLAIM=1
WORKDIR /sgl-workspace
RUN ulimit -n 65536 && apt-get update && apt-get install -y vim
RUN pip install -r /dev/null Foo_Bar==1
RUN git clone https://github.com/ROCm/aiter.git && cd aiter \\
 && git checkout -f v0.1.11.post1 && pip install -r requirements.txt
RUN cd aiter && PREBUILD_KERNELS=1 GPU_ARCHS=$ARCHS python setup.py develop
RUN cat > /note <<"PY"
import this
PY
RUN grep this /note && flux --capacitor || true
"""


def test_what_differs_is_said_by_subject(host_engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "images.yaml").write_text(IMAGES)
    (tmp_path / "up.Dockerfile").write_text(DOCKERFILE)
    here = ours(host_engine, tmp_path / "images.yaml", CELL)
    there = upstream(host_engine, tmp_path / "up.Dockerfile", {"GPU_ARCH": "gfx942-rocm720"})
    text = compare(here, there)
    said = {part.partition(":")[0].strip(): part.splitlines()[1:] for part in text.split("\n\n")[1:]}
    assert "  - vim" in said["Debian packages"]
    assert "  - foo-bar==1" in said["Python packages"]
    assert "  - ARCHS=gfx942" in said["environment"]
    assert not [line for line in said["environment"] if "HSA_NO_SCRATCH_RECLAIM" in line], "both have it"
    assert "  - git checkout v0.1.11.post1" in said["aiter"]
    assert "  + git checkout a6bb499375849eec45d68c5ccaebc8865fd422c0" in said["aiter"]
    (develop,) = [line for line in said["aiter"] if "develop" in line]
    assert develop.split() == ["-", "GPU_ARCHS=gfx942", "PREBUILD_KERNELS=1", "setup.py", "develop"]
    assert any("editable_mode=compat" in line and line.startswith("  + ") for line in said["aiter"])
