"""Where a rule must stay silent, and where it must not: cases from the field, in our own words."""

from __future__ import annotations

import pytest

from .support import findings, lines

ROCM = "FROM rocm/pytorch:rocm7.2_ubuntu22.04\n"
AT = "WORKDIR /src\n"


@pytest.mark.parametrize(
    "text",
    [
        "WORKDIR /src/aiter\nRUN pip install -e .\n",  # users start inside the checkout
        "WORKDIR /src\nRUN cd triton-custom && pip install -e .\n",  # no module can have that name
        "WORKDIR /src\nRUN cd other && pip install -e 'python[all]'\n",
        "WORKDIR /src/sglang\nRUN pip install -e python\n",  # a folder that nobody imports
        "WORKDIR /src\nRUN cd aiter && pip install .\n",
        "WORKDIR /src\nRUN cd aiter && pip install -C editable_mode=compat -e .\n",
        "WORKDIR /src\nRUN cd aiter && pip install --config-settings=editable_mode=compat --editable .\n",
        "WORKDIR /src\nRUN cd aiter && pip install -e .\nWORKDIR /work\n",
        "WORKDIR /src\nRUN pip install -e git+https://example.com/aiter\n",
    ],
)
def test_editable_installs_that_are_safe(text: str) -> None:
    assert lines(ROCM + text, "ROC009") == []


@pytest.mark.parametrize(
    "text",
    [
        "WORKDIR /src\nRUN pip install -e aiter\n",
        "WORKDIR /src\nRUN python3 -m pip install --no-deps --editable=./aiter\n",
        "WORKDIR /src\nRUN uv pip install -e /src/aiter[all]\n",
        "WORKDIR /src\nRUN bash -lc 'set -e; cd aiter; VENV_PIP=/opt/pip3; \"$VENV_PIP\" install -e .'\n",
        'WORKDIR /src\nRUN if [ -d x ]; then sh -c "cd aiter && GPU_ARCHS=$X pip install -e ."; fi\n',
        "ARG DIR=/src\nWORKDIR /src\nRUN cd ${DIR}/aiter && pip install -e .\n",
        "RUN cd /aiter && pip install -e .\n",
        'WORKDIR /src\nRUN ["bash", "-c", "cd aiter && pip install -e ."]\n',
        "WORKDIR /src\nRUN <<EOF\ncd aiter\npip install -e .\nEOF\n",
    ],
)
def test_editable_installs_that_are_not(text: str) -> None:
    assert len(lines(ROCM + text, "ROC009")) == 1


def test_a_stage_that_hands_on_its_editable_install() -> None:
    text = ROCM.replace("\n", " AS build\n") + AT + "RUN cd aiter && pip install -e .\nFROM build\nWORKDIR /elsewhere\n"
    assert lines(text, "ROC009") == [3]  # the stage itself can be the target of a build


def test_torch_needs_a_rocm_index_or_a_local_version() -> None:
    for install in (
        "pip install --index-url https://download.pytorch.org/whl/rocm7.2 torch",
        "pip install torch==2.9.1+rocm7.2 --extra-index-url https://download.pytorch.org/whl/rocm7.2",
        "pip install -c torch.txt torch",
        "PIP_CONSTRAINT=/c.txt pip install torch",
        "pip install --no-deps torch==2.9.1",
    ):
        assert lines(ROCM + f"RUN {install}\n", "ROC001") == [], install
    for install in ("pip install torch", "pip install 'torch>=2.9' --extra-index-url https://x/rocm7.2"):
        assert lines(ROCM + f"RUN {install}\n", "ROC001") == [2], install
    elsewhere = "FROM python:3.12\nRUN pip install torch\n"  # not known to be for ROCm
    assert [str(f.level) for f in findings(elsewhere) if f.rule == "ROC001"] == ["note"]
    assert lines(elsewhere.replace("python:3.12", "nvidia/cuda:12.4"), "ROC001") == []


def test_a_constraint_must_hold_in_every_flavour() -> None:
    text = (
        "ARG GPU_ARCH=gfx942\nFROM rocm/pytorch:1 AS gfx942\nENV PIP_CONSTRAINT=/c\nFROM rocm/pytorch:1 AS gfx950\n{}"
        "FROM ${{GPU_ARCH}}\nRUN pip install -r requirements.txt\n"
    )
    assert lines(text.format(""), "ROC001") == [6]
    assert lines(text.format("ENV PIP_CONSTRAINT=/c\n"), "ROC001") == []


def test_variables_of_the_base_and_of_parents_are_no_error() -> None:
    for name, level in (("ROCM_VERSION", "note"), ("AITER_VERSION", "warning")):
        own = f"ARG {name}=7\n" + ROCM + f"RUN echo ${name}\n"
        assert [str(f.level) for f in findings(own) if f.rule == "ROC016"] == [level]
    inherited = "ARG V=7\nFROM scratch AS a\nARG V\nFROM a\nENV W=$V\n"
    assert lines(inherited, "ROC016") == []
    assert lines("ARG V=7\nFROM scratch\nRUN V=8; echo $V\n", "ROC016") == []
    assert lines("ARG V=7\nFROM scratch\nRUN echo ${V:-none}\n", "ROC016") == []


def test_pins_that_nothing_reads() -> None:
    dead = ROCM + "ARG TRITON_COMMIT=abc\n# TRITON_COMMIT is in a comment only\n"
    assert lines(dead, "ROC016") == [2]
    assert lines(dead + "RUN python3 -c 'import os; os.environ[\"TRITON_COMMIT\"]'\n", "ROC016") == []


def test_a_file_that_the_recipe_sources_is_not_for_logins_only() -> None:
    text = ROCM + "RUN echo 'export A=1' >> /etc/profile\n"
    assert lines(text, "ROC012") == [2]
    assert lines(text + "RUN . /etc/profile && make\n", "ROC012") == []
    assert lines(text + "ENV A=1\n", "ROC012") == []


@pytest.mark.parametrize(
    ("fetch", "fires"),
    [
        ("curl -fsSLO https://a.b/c", True),
        ("curl --retry 3 -fsSLO https://a.b/c", False),
        ("for i in 1 2 3; do curl -fO https://a.b/c && break; done", False),
        ("retry 5 curl -fO https://a.b/c", False),
        ("curl --version", False),
        ("curl -f http://localhost:8000/health", False),
        ("if curl -fO https://a.b/c; then true; fi", False),
    ],
)
def test_fetches(fetch: str, fires: bool) -> None:
    assert bool(lines(ROCM + f"RUN {fetch}\n", "ROC037")) is fires


@pytest.mark.parametrize(
    ("script", "fires"),
    [
        ("git clone https://a/b && cd b && git checkout v1.2.3", ["note"]),
        ("git clone -b v1.2.3 https://a/b", ["note"]),
        ("git clone https://a/b && cd b && git checkout release/2.13", ["warning"]),
        ("git clone -b v1.19.x https://a/b", ["warning"]),
        ("git clone https://a/b", ["warning"]),
        ("git clone https://a/b && cd b && git checkout abc1234", []),
        ("git clone -b main https://a/b && cd b && git checkout c16d44b93a528b2a4bfd6d8d3409116d465872a9", []),
        ("pip install git+https://a/b@c16d44b93a528b2a4bfd6d8d3409116d465872a9", []),
        ("pip install git+https://a/b", ["warning"]),
        ("git clone https://a/b && cd b && git fetch origin main && git checkout FETCH_HEAD", ["warning"]),
    ],
)
def test_refs(script: str, fires: list[str]) -> None:
    assert [str(f.level) for f in findings(f"FROM scratch\nRUN {script}\n") if f.rule == "ROC033"] == fires


def test_a_checkout_in_a_later_run_counts() -> None:
    sha = "c16d44b93a528b2a4bfd6d8d3409116d465872a9"
    text = f"FROM scratch\nARG R=https://a/b.git\nWORKDIR /w\nRUN git clone $R\nRUN cd b && git checkout {sha}\n"
    assert lines(text, "ROC033") == []


def test_codenames_follow_the_flavour_and_its_branch() -> None:
    text = (
        "ARG GPU_ARCH=gfx942\nARG BASE=rocm/pytorch:rocm7.2.4_ubuntu24.04\nFROM ubuntu:22.04 AS gfx942\n"
        'FROM $BASE AS gfx942-noble\nFROM ${GPU_ARCH}\nARG GPU_ARCH\nRUN case "$GPU_ARCH" in *-noble) code=noble ;\\\n'
        "  echo 'deb https://a noble main' > /etc/apt/sources.list.d/a.list ;; *) \\\n"
        "  echo 'deb https://a jammy main' > /etc/apt/sources.list.d/a.list ;; esac\n"
    )
    assert lines(text, "ROC038") == []
    assert lines(text.replace("a noble main", "a focal main"), "ROC038") == [8]


def test_secrets_by_whole_words_only() -> None:
    silent = "FROM scratch\nENV TOKENIZERS_PARALLELISM=true S3_NO_CREDENTIALS=1 KEY_URL=https://a MAX_TOKENS=1\n"
    assert lines(silent, "ROC053") == []
    assert lines("FROM scratch\nARG HF_TOKEN\nARG AWS_SECRET_ACCESS_KEY=x\n", "ROC053") == [2, 3]


def test_a_failure_that_the_next_in_the_pipe_notices() -> None:
    text = "FROM scratch\nRUN curl --retry 5 -f https://a/1.2/k | {}\n"
    assert lines(text.format("gpg --dearmor -o /k"), "ROC018") == []
    assert lines(text.format("tee /k"), "ROC018") == [2]


def test_a_twin_that_differs_with_a_reason_is_no_drift() -> None:
    text = (
        "ARG GPU_ARCH=gfx942\nFROM rocm/a:1 AS gfx942\nENV PIN=one\nFROM rocm/a:1 AS gfx950\n{}ENV PIN=two\n"
        "FROM ${{GPU_ARCH}}\nRUN echo $PIN\n"
    )
    assert lines(text.format(""), "ROC019") == [5]
    assert lines(text.format("# gfx950 needs the newer kernels\n"), "ROC019") == []


def test_sibling_files_are_held_against_each_other() -> None:
    from rocmimg.lint.runner import lint

    from .support import TODAY

    old, new = (f"{ROCM}ARG AITER_COMMIT={pin}\nRUN echo $AITER_COMMIT\n".encode() for pin in ("v0.1.10", "v0.1.12"))
    names = {"docker/rocm.Dockerfile": new, "docker/rocm720.Dockerfile": old, "other/rocm.Dockerfile": old}
    found = [f for f in lint(names, arguments={}, today=TODAY).findings if f.rule == "ROC019"]
    assert [(f.file, f.line) for f in found] == [("docker/rocm.Dockerfile", 2), ("docker/rocm720.Dockerfile", 2)]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (ROCM + "ARG PIN_BRANCH=8514f051 # release/2.10 as of 3/17\nRUN git clone -b $PIN_BRANCH x\n", "ROC016"),
        (ROCM + "RUN pip install nvidia-cuda-nvdisasm==13.3.73\n", "ROC059"),
        (ROCM + 'RUN echo "PATH=/x:$PATH" >> /home/admin/.bash_profile\n', "ROC012"),
    ],
)
def test_what_is_a_note_or_nothing(text: str, rule: str) -> None:
    assert {f.level.value for f in findings(text) if f.rule == rule} <= {"note"}


def test_the_profile_of_the_images_own_user_is_read_by_nobody_either() -> None:
    text = ROCM + 'RUN echo "export HIP_PATH=/x" >> /home/me/.bashrc\nUSER me:render\n'
    assert [f.level.value for f in findings(text) if f.rule == "ROC012"] == ["warning"]


def test_what_hides_a_failure_is_quoted() -> None:
    text = ROCM + "RUN git clone -b v1 https://a.b/c \\\n && cd c || \\\n    echo 'as it is'\n"
    assert [f.message for f in findings(text) if f.rule == "ROC018"] == ["git: `|| echo` hides its failure"]
