"""How torch and Triton are kept, on a real engine with a real pip; the distributions are small ones of those names."""

import json
import textwrap

import pytest

from rocmimg.engine import ContainerSpec

MATRIX = """
    defaults:
      image: rocmimg-test/assembly
      workdir: /sgl-workspace
    targets:
      ground:
        gpu_archs: [gfx942]
        base: rocmimg/lab-base:dev
        components:
          wheels: {source: local:ground}
      app:
        gpu_archs: [gfx942]
        base: {cell: ground}
        protect: [torch, triton, triton-rocm]
        env: {PIP_CONSTRAINT: /etc/rocmimg/constraints.txt}
        flags: {BUILD_TRITON: true}
        components:
          triton: {source: local:triton, options: {requirements: ""}}
          late: {uses: wheels, source: local:late, enabled: false}
"""
GROUND = {
    "torch": ("2.9.1+rocm7.2.0", ["filelock", "triton-rocm==3.5.1", "networkx"]),
    "triton-rocm": ("3.5.1", []),
}


def package(folder, name, version, requires=()):
    """Sources of a distribution with one module."""
    module = name.removesuffix("-rocm").replace("-", "_")
    place = folder / name
    (place / module).mkdir(parents=True)
    (place / module / "__init__.py").write_text(f"VERSION = {version!r}\n")
    (place / "setup.py").write_text(
        f"from setuptools import setup\n"
        f"setup(name={name!r}, version={version!r}, packages=[{module!r}], install_requires={list(requires)!r})\n"
    )


@pytest.fixture
def assembly(project, run_rocmimg, tmp_path):
    """A base with torch and its Triton, and an image that brings another Triton."""
    done = run_rocmimg("build", "lab-base-gfx9")
    assert done.returncode == 0, done.stdout + done.stderr
    made = project(textwrap.dedent(MATRIX))
    for name, (version, requires) in GROUND.items():
        package(tmp_path / "ground", name, version, requires)
    package(tmp_path / "own", "triton", "3.7.0+amd")
    (tmp_path / "own/triton").rename(tmp_path / "triton")
    components = tmp_path / "templates/components"
    components.mkdir(parents=True)
    # The recipe as it is built in, without the tools and packages that would come from a network.
    recipe = {
        "description": "Triton",
        "when": "BUILD_TRITON",
        "flags": {"BUILD_TRITON": {"type": "bool", "default": False, "help": "x"}},
        "module": "triton",
        "install": ["wheel"],
        "provides": ["triton", "triton-rocm"],
        "options": {
            "requirements": {"type": "text", "default": "", "help": "x"},
            "max_jobs": {"type": "int", "default": 0, "help": "x"},
        },
    }
    (components / "triton.yaml").write_text(json.dumps(recipe))
    (components / "triton-wheel.yaml").write_text(json.dumps({"description": "unused", "sources": ["none"]}))
    wheels = {"description": "wheels", "install": ["wheel"], "after": ["triton"]}
    (components / "wheels.yaml").write_text(json.dumps(wheels))
    (components / "wheels.j2").write_text(
        '{% extends "components/component.j2" %}'
        '{% block build %}\nRUN for folder in ./*/; do {{ m.pip_wheel() }} "$folder"; done\n{% endblock %}'
        "{% block install %}\nRUN --mount=type=bind,from={{ c.name|word }},source=/wheels,target=/wheels \\\n"
        "    env -u PIP_CONSTRAINT {{ m.pip_install() }} --no-index --no-deps --upgrade /wheels/*.whl\n{% endblock %}"
    )
    return made


def test_the_new_triton_is_the_only_one_and_stays(assembly, host_engine):
    done = assembly.run("build")
    assert done.returncode == 0, done.stdout + done.stderr
    with host_engine.run(ContainerSpec(image="rocmimg-test/assembly:dev-app-mi30x")) as container:

        def say(command):
            return container.exec(["bash", "-c", command], timeout=60).stdout.decode()

        installed = say("python3 -m pip list --format=freeze")
        assert "triton==3.7.0+amd" in installed
        assert "triton-rocm" not in installed
        requires = "from importlib.metadata import requires; print(requires('torch'))"
        assert say(f'python3 -c "{requires}"') == "['filelock', 'triton==3.7.0+amd', 'networkx']\n"
        assert say("cat /etc/rocmimg/constraints.txt").split() == ["torch==2.9.1+rocm7.2.0", "triton==3.7.0+amd"]
        # what a user of the image meets: another torch is refused before anything is fetched
        refused = say("python3 -m pip install --no-index 'torch==9' 2>&1 || true")
        assert "torch==2.9.1+rocm7.2.0" in refused


@pytest.mark.parametrize(
    ("distribution", "version", "built"),
    [
        ("torch", "2.11.0", False),
        ("triton-rocm", "3.6.0", False),
        ("nvidia-cublas-cu12", "12.1", False),
        ("cuda-pathfinder", "1.0", False),
        ("nvidia-ml-py", "13.0", True),
    ],
)
def test_what_a_late_component_may_bring(distribution, version, built, assembly, tmp_path):
    package(tmp_path / "late", distribution, version)
    done = assembly.run("build", "app-gfx942", "--set", "components.late.enabled=true")
    assert (done.returncode == 0) == built, done.stdout
    assert built or "triton" in done.stdout or distribution in done.stdout
