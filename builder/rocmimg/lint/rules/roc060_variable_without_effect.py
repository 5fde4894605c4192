"""F48: a build variable before an install that takes a wheel of the index."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from rocmimg.lint.context import LintFile, Run
from rocmimg.lint.installs import PipInstall, pip_install
from rocmimg.lint.model import Evidence, Hit, Level, Rule
from rocmimg.lint.projects import CUDA_WHEELS, GPU_SOURCES

_NAME: Final = re.compile(
    r"(?:BUILD|USE|WITH|ENABLE|FORCE)_\w*(?:HIP|ROCM)\w*|\w+_(?:USE|WITH|ENABLE|BUILD)_(?:HIP|ROCM)|HIP_BUILD|USE_ROCM"
    r"|ROCM_BUILD|\w+_BUILD_(?:HIP|ROCM)|\w+_TARGET_DEVICE|TARGET_DEVICE|COMPUTE_PLATFORM"
)
_OFF: Final = frozenset({"", "0", "OFF", "off", "false", "cpu", "cuda"})
_COMPILERS: Final = frozenset({"CC", "CXX", "HIPCXX", "CMAKE_CXX_COMPILER"})
_NEEDS_BUILD: Final = ("--no-binary", "--no-binary-package", "--no-build-isolation-package")


def _asks(name: str, value: str) -> bool:
    """Whether a variable asks for a build for ROCm."""
    if name == "CMAKE_ARGS":
        return re.search(r"-D\w*(?:HIP|ROCM)\w*=", value) is not None
    if name in _COMPILERS:
        return re.search(r"hipcc|amdclang", value) is not None
    return _NAME.fullmatch(name) is not None and value not in _OFF


def _variable(file: LintFile, run: Run, pip: PipInstall) -> str | None:
    """The variable before the command, exported in the same RUN, or in ENV, that asks for a build for ROCm."""
    exported = [a for a in run.script.assignments if a.exported and a.start < pip.command.start]
    variant = file.scopes.variants_of(run.stage)[0]
    for stage in file.scopes.lineage(run.stage, variant):
        for instruction in stage.instructions:
            if instruction.keyword == "ENV" and instruction.index < run.instruction.index:
                for pair in instruction.pairs:
                    if _asks(pair.name, (pair.value or "").strip("\"'")):
                        return pair.name
    for assignment in (*pip.command.assignments, *exported):
        if _asks(assignment.name, assignment.value.value):
            return assignment.name
    return None


def check(file: LintFile) -> Iterable[Hit]:
    for run, command in file.commands():
        pip = pip_install(command)
        if pip is None or pip.has(*_NEEDS_BUILD) or not pip.requirements:
            continue
        if file.lookup(run)("PIP_NO_BINARY") or any(
            a.name in {"PIP_NO_BINARY", "UV_NO_BINARY"} for a in command.assignments
        ):
            continue
        if pip.has("-i", "--index-url", "--default-index", "--index", "-f", "--find-links", "--no-index"):
            continue
        variable = _variable(file, run, pip)
        by_env = variable is not None and not any(a.name == variable for a in command.assignments)
        if variable is None:
            continue
        for need in pip.requirements:
            if not need.name or need.name in GPU_SOURCES or need.name in _SOURCES or "@" in need.spec:
                continue
            known = need.name in CUDA_WHEELS
            if by_env and not known:
                continue  # meant for other builds of the file
            message = f"{variable} changes nothing: {need.name} comes as a wheel of the index, built for CUDA"
            if not known:
                message = f"{variable} changes nothing where the index has a wheel of {need.name}"
            yield Hit(
                start=need.word.start,
                end=need.word.end,
                message=message,
                evidence=Evidence.PROJECT if known else Evidence.ASSUMED,
            )


# The index has only their sources.
_SOURCES: Final = frozenset(
    {"llama-cpp-python", "deepspeed", "pycuda", "horovod", "stable-diffusion-cpp-python", "mpi4py"}
)

RULE: Final = Rule(
    id="ROC060",
    failure_class="F48",
    level=Level.ERROR,
    title="a build variable before an install that takes the index's wheel",
    why="pip builds nothing when the index has a wheel: the variable is not read, and the wheel is the one for CUDA.",
    fix="Add --no-binary NAME, or install from a checkout.",
    case="LMCache#3101",
    bad="FROM rocm/vllm:latest\nRUN BUILD_WITH_HIP=1 pip install --no-deps lmcache==0.4.2\n",
    good="FROM rocm/vllm:latest\nRUN BUILD_WITH_HIP=1 pip install --no-deps --no-binary lmcache lmcache==0.4.2\n",
    check=check,
)
