"""A Dockerfile of a project's own on the lab's base, with a real HIP compiler: all verbs but those of a registry."""

import json

import pytest

DOCKERFILE = """\
ARG BASE
FROM ${BASE} AS build
ARG GPU_ARCH
COPY kernels/*.hip /src/
RUN mkdir -p /out/mykernels && touch /out/mykernels/__init__.py \\
 && hipcc --offload-arch=$GPU_ARCH -shared -fPIC -O1 -o /out/mykernels/scale.so /src/scale.hip
FROM ${BASE} AS release
COPY --from=build /out/mykernels /usr/lib/python3/dist-packages/mykernels
WORKDIR /models
CMD ["python3", "-c", "import mykernels"]
FROM release AS debug
RUN false
"""
KERNEL = """\
#include <hip/hip_runtime.h>
extern "C" __global__ void scale(float* x, float by) { x[threadIdx.x] *= by; }
"""
MATRIX = """
    defaults: {image: rocmimg-test/own, base: "debian:testing", network: {engine_mode: none}}
    targets:
      mine:
        gpu_archs: [gfx942, gfx950]
        dockerfile:
          path: docker/rocm.Dockerfile
          stage: release
          args: {BASE: "rocmimg/lab-base:dev", GPU_ARCH: "{arch}"}
        contents:
          mykernels: {kernels: true}
"""


@pytest.fixture
def mine(project, lab):
    made = project(MATRIX)
    for name, text in (("docker/rocm.Dockerfile", DOCKERFILE), ("kernels/scale.hip", KERNEL), ("README.md", "")):
        path = made.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return made


def results(project, cell):
    return {one["id"]: one for one in json.loads((project.folder / f"build/results/{cell}.json").read_text())["checks"]}


def test_it_is_built_for_each_arch_checked_and_built_again_for_a_reason(mine, host_engine):
    rows = mine.json("build", "mine")
    assert [(row["id"], row["status"]) for row in rows] == [("mine-gfx942", "built"), ("mine-gfx950", "built")]
    image = host_engine.image("rocmimg-test/own:dev-mine-mi30x")
    assert image.workdir == "/models"
    assert image.labels["io.rocmimg.plan"] == rows[0]["digest"]
    assert image.labels["org.opencontainers.image.base.name"] == "rocmimg/lab-base:dev"

    (mine.folder / "README.md").write_text("no input")
    assert [row["action"] for row in mine.json("plan", "mine")] == ["up-to-date", "up-to-date"]
    (mine.folder / "kernels/scale.hip").write_text(KERNEL.replace("*=", "/="))
    (row, _) = mine.json("plan", "mine")
    assert (row["action"], row["reasons"]) == ("build", ["context kernels/*.hip changed"])

    mine.run("build", "mine-gfx942")
    done = mine.run("test", "mine-gfx942", "--tier", "image", "--tier", "import")
    found = results(mine, "mine-gfx942")
    assert "failed" not in [one["status"] for one in found.values()], done.stdout
    for check in ("labels", "import", "arch-code"):
        assert found[check]["status"] == "passed", (check, found[check])
    assert found["entry"]["status"] == "not-applicable"


def test_what_lint_finds_stands_in_that_file_and_the_failed_step_is_named(mine):
    path = mine.folder / "docker/rocm.Dockerfile"
    path.write_text(DOCKERFILE.replace("WORKDIR /models", "ENV HSA_OVERRIDE_GFX_VERSION=9.4.2\nWORKDIR /models"))
    found = json.loads(mine.run("check", "mine", "--only", "lint", "--format", "json").stdout)["problems"]
    (one,) = [one for one in found if one["rule"] == "ROC014"]
    assert (one["file"], one["line"], one["cells"]) == ("docker/rocm.Dockerfile", 9, ["mine-gfx942", "mine-gfx950"])
    done = mine.run("build", "mine-gfx942", "--set", "dockerfile.stage=debug")
    assert done.returncode == 7
    assert "RUN false" in done.stdout


INSIDE = """
    targets:
      t:
        gpu_archs: [gfx942]
        image: rocmimg-test/inside
        dockerfile: Dockerfile
        network: {engine_mode: none}
        contents:
          fw: {source: "local:fw", framework: true}
          aiter: {source: "local:aiter"}
"""
SITE = "/usr/lib/python3/dist-packages"


def test_a_framework_is_held_against_the_aiter_that_is_inside(project, lab):
    made = project(INSIDE)
    copies = f"FROM rocmimg/lab-base:dev\nCOPY fw/fw {SITE}/fw\nCOPY aiter/aiter {SITE}/aiter\n"
    (made.folder / "Dockerfile").write_text(copies)
    for name, text in (
        ("fw/fw/__init__.py", ""),
        ("fw/fw/layer.py", "from aiter.ops import fused_norm\n"),
        ("aiter/aiter/__init__.py", ""),
        ("aiter/aiter/ops.py", "def norm(x): return x\n"),
    ):
        (made.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (made.folder / name).write_text(text)
    refused = made.run("build")
    assert refused.returncode == 11
    assert "layer.py:1" in refused.stderr
    assert "fused_norm" in refused.stderr

    (made.folder / "fw/fw/layer.py").write_text("from aiter.ops import norm\n")
    assert made.run("build").returncode == 0
    assert contract(made) == ("passed", "")

    (made.folder / "Dockerfile").write_text(f"{copies}RUN echo 'def other(x): return x' > {SITE}/aiter/ops.py\n")
    assert made.run("build").returncode == 0
    status, reason = contract(made)
    assert status == "failed"
    assert "aiter.ops.norm: there in the source at the pin, missing in the image" in reason


def contract(project):
    (image,) = project.json("test", "--tier", "import")
    (found,) = [check for check in image["checks"] if check["id"] == "contract"]
    return found["status"], found["reason"]
