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
