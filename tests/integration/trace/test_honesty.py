"""The harness is worth something only if what is broken fails: each test breaks a recipe by a template override."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tracing import claims
from tracing.build import Built, Tracer

from rocmimg.engine import StepFailed
from rocmimg.errors import RocmimgError

pytestmark = pytest.mark.engine

IMAGES = """
targets:
  broken:
    gpu_archs: [gfx942]
    base: rocm/pytorch:rocm7.2_ubuntu22.04_py3.10_pytorch_release_2.9.1
    workdir: /sgl-workspace
    protect: [torch, triton]
    env: {HSA_NO_SCRATCH_RECLAIM: 1}
    flags: {BUILD_AITER_ALL: true, BUILD_LLVM: false}
    components:
      llvm: {repo: https://github.com/jrbyrnes/llvm-project.git, ref: 6520ace8227ffe2728148d5f3b9872a870b0a560}
      aiter: {repo: https://github.com/ROCm/aiter.git, ref: a6bb499375849eec45d68c5ccaebc8865fd422c0}
"""
CELL = "broken-gfx942"


@pytest.fixture
def build_with(tmp_path: Path, make_tracer: Callable[[Path], Tracer]) -> Callable[..., Built]:
    """Builds the cell with this text in the place of AITER's build block."""

    def build(block: str, name: str = "build", *, final: str = "") -> Built:
        _override(tmp_path, "components/aiter.j2", name, block)
        if final:
            _override(tmp_path, "final.j2", final, "")
        (tmp_path / "images.yaml").write_text(IMAGES)
        return make_tracer(tmp_path / "images.yaml").build(CELL)

    return build


def _override(folder: Path, template: str, block: str, text: str) -> None:
    path = folder / "templates" / template
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{{% extends 'builtin/{template}' %}}\n{{% block {block} %}}\n{text}\n{{% endblock %}}\n")


def test_the_same_recipe_unbroken_builds_and_keeps_every_claim(build_with: Callable[..., Built]) -> None:
    built = build_with("{{ super() }}")
    for claim in claims.CLAIMS:
        claim(built)


BROKEN_STEPS = {
    "ENV inside RUN": (
        r"""RUN cd /sgl-workspace/aiter \
 && ENV HIP_CLANG_PATH=/opt/llvm/bin \
 && PREBUILD_KERNELS=1 python3 setup.py build_ext --inplace""",
        "ENV: command not found",
    ),
    "missing && before a command": (
        r"""RUN python3 -m pip install -r requirements.txt \
    python3 setup.py build_ext --inplace""",
        "unrecognized arguments: --inplace",
    ),
    "missing && after a checkout": (
        r"""RUN git checkout --force FETCH_HEAD \
    git submodule update --init""",
        "unrecognized arguments: git submodule update --init",
    ),
    "missing && after a package list": (
        r"""RUN apt-get update && apt-get install -y libdrm-dev \
    rm -rf /var/lib/apt/lists/*""",
        "unrecognized arguments: -rf",
    ),
    "package without lists": ("RUN apt-get install -y libdrm-dev", "no lists were fetched"),
    "command without a recorder": ("RUN gpg --version", "there is no recorder for this command yet"),
    "command that is not there": ("RUN protoc --version", "protoc: command not found"),
    "tool before the package that brings it": (
        "RUN jq --version && apt-get update && apt-get install -y jq",
        "jq: command not found",
    ),
    "wrong folder": (
        "RUN cd /sgl-workspace/aitre && python3 setup.py build_ext --inplace",
        "No such file or directory",
    ),
    "wrong script": ("RUN python3 setup_rocm.py build_ext --inplace", "can't open file setup_rocm.py"),
    "no sources there": ("RUN cmake -S . -B build", "the source CMakeLists.txt does not exist"),
    "unset variable": ('RUN GPU_ARCHS="$GPU_ARCH_LIST" python3 setup.py build_ext', "GPU_ARCH_LIST: unbound variable"),
    "failure in a pipe": ("RUN python3 setup.py bild_ext | tee /tmp/log", "invalid command 'bild_ext'"),
    "quote that never ends": ("RUN echo 'AITER", "unexpected EOF while looking for matching"),
    "script with a syntax error": ("""RUN python3 -c 'import sys; if True: pass'""", "SyntaxError"),
    "option that does not exist": ("RUN python3 -m pip install --no-dependencies wheel", "--no-dependencies"),
    "output that nobody provided": (
        'RUN version="$(python3 setup.py --quiet build)" && echo "$version"',
        "its output is read, and there is no fixture for it",
    ),
    "constraint file that is missing": ("RUN python3 -m pip install -c /etc/gone.txt wheel", "/etc/gone.txt"),
    "install against the constraint": ("RUN python3 -m pip install torch==2.12.0", "the constraint says"),
    "glob that finds no wheel": ("RUN python3 -m pip install /wheels/*.whl", "/wheels/*.whl does not exist"),
    "pin that was never fetched": (
        "RUN git checkout --detach 0000000000000000000000000000000000000000",
        "was never fetched",
    ),
}


@pytest.mark.parametrize("name", BROKEN_STEPS)
def test_a_broken_step_fails_where_it_is_broken(build_with: Callable[..., Built], name: str) -> None:
    block, says = BROKEN_STEPS[name]
    with pytest.raises(StepFailed) as failure:
        build_with(block)
    assert says in "\n".join(failure.value.log)
    assert "[aiter " in failure.value.step


BROKEN_FILES = {
    "lost backslash": (
        r"""RUN python3 -m pip install -r requirements.txt
 && python3 setup.py build_ext --inplace""",
        "unknown instruction: &&",
    ),
    "COPY from a stage that is not there": ("COPY --from=llvn /opt/llvm /opt/llvm", "llvn"),
    "COPY of what no stage made": ("COPY --from=base /opt/llvm /opt/llvm", "/opt/llvm"),
}


@pytest.mark.parametrize("name", BROKEN_FILES)
def test_a_broken_dockerfile_fails(build_with: Callable[..., Built], name: str) -> None:
    block, says = BROKEN_FILES[name]
    with pytest.raises(RocmimgError) as failure:
        build_with(block)
    assert says in str(failure.value)


def test_a_default_editable_install_fails_as_it_did_in_sglang_0_5_10(build_with: Callable[..., Built]) -> None:
    with pytest.raises(StepFailed) as failure:
        build_with(
            "COPY --from=aiter {{ checkout|word }} {{ checkout|word }}\n"
            "RUN cd {{ checkout|sh }} && python3 -m pip install --no-build-isolation -e .\n"
            '{% call m.run(network=false, files=["find_modules.py"]) %}\n'
            '{{ m.program("find_modules.py") }} {{ c.module|sh }}\n{% endcall %}',
            "install",
        )
    said = "\n".join(failure.value.log)
    assert "from /sgl-workspace aiter is a folder of that name, not the package: ModuleSpec(name='aiter'" in said
    assert "_NamespacePath(['/sgl-workspace/aiter'])" in said


BROKEN_CLAIMS = {
    claims.nothing_failed: "RUN python3 setup.py bild_ext || true",
    claims.pins_are_built: r"""RUN git clone https://github.com/ROCm/aiter.git /tmp/newest \
 && cd /tmp/newest \
 && python3 setup.py build_ext --inplace""",
    claims.installs_are_constrained: "ENV PIP_CONSTRAINT=\nRUN python3 -m pip install wheel",
    claims.editable_installs_are_compat: "RUN python3 -m pip install -e .",
    claims.archs_are_the_cells: "RUN GPU_ARCHS='gfx942;gfx950' python3 setup.py build_ext",
    claims.llvm_only_on_request: "RUN HIP_CLANG_PATH=/opt/llvm/bin python3 setup.py build_ext",
}


@pytest.mark.parametrize("claim", BROKEN_CLAIMS, ids=lambda claim: claim.__name__)
def test_a_claim_fails_where_it_does_not_hold(build_with: Callable[..., Built], claim: Callable[[Built], None]) -> None:
    built = build_with("{{ super() }}\n" + BROKEN_CLAIMS[claim])
    with pytest.raises(AssertionError):
        claim(built)


TORCH_FROM_AN_INDEX = "RUN PIP_CONSTRAINT= python3 -m pip install --upgrade torch"
METADATA = '"$(python3 -c \'import importlib.metadata as m; print(m.distribution("torch")._path)\')"/METADATA'
# What is added to AITER's part of the final image, and which block of the final stage is taken out.
BROKEN_FINAL = {
    claims.kept_distributions_are_kept: ("{{ super() }}\n" + TORCH_FROM_AN_INDEX, "assertions"),
    claims.build_packages_stay_behind: ("{{ super() }}\nRUN apt-get update && apt-get install -y cmake", ""),
    claims.every_stage_is_used: ("", "assertions"),
    claims.the_environment_is_the_images: ("{{ super() }}", "environment"),
    claims.torch_keeps_its_requirements: ("{{ super() }}\nRUN sed -i '/pytorch-triton-rocm/d' " + METADATA, ""),
}


@pytest.mark.parametrize("claim", BROKEN_FINAL, ids=lambda claim: claim.__name__)
def test_a_claim_about_the_final_image_fails(build_with: Callable[..., Built], claim: Callable[[Built], None]) -> None:
    block, without = BROKEN_FINAL[claim]
    built = build_with(block, "install", final=without)
    with pytest.raises(AssertionError):
        claim(built)


def test_the_image_itself_refuses_another_torch(build_with: Callable[..., Built]) -> None:
    with pytest.raises(StepFailed) as failure:
        build_with("{{ super() }}\n" + TORCH_FROM_AN_INDEX, "install")
    assert "torch==2.9.1+rocm7.2.0 was held, and it is" in "\n".join(failure.value.log)


def test_no_claim_is_without_its_counterexample() -> None:
    assert {*BROKEN_CLAIMS, *BROKEN_FINAL} == {*claims.CLAIMS}


def test_a_component_whose_pin_is_never_checked_out(build_with: Callable[..., Built]) -> None:
    built = build_with("RUN git clone {{ c.source.repo|sh }} {{ checkout|sh }}\nWORKDIR {{ checkout|word }}", "source")
    with pytest.raises(AssertionError, match="was never fetched"):
        claims.pins_are_built(built)
