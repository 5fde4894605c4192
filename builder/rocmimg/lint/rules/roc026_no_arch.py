"""F26: GPU code is compiled without saying for which GPU."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from typing import Final

from rocmimg.lint.context import LintFile, Run
from rocmimg.lint.model import Hit, Level, Rule
from rocmimg.lint.shell import Command

_ARCH: Final = re.compile(
    r"(PYTORCH_ROCM_ARCH|\w*GPU_ARCHS?|\w*GPU_ARCH_LIST|AMDGPU_TARGETS?|GPU_TARGETS|HIP_ARCHITECTURES|\w*ROCM_ARCH"
    r"|CMAKE_HIP_ARCHITECTURES|HCC_AMDGPU_TARGET|ROCM_TARGETS?|HIP_ARCHS?)"
)
_VERBS: Final = frozenset({"install", "develop", "build_ext", "bdist_wheel", "build"})
_SOURCES: Final = (".hip", ".cu", ".cpp", ".cc", ".cxx", ".c")


def _hipcc(command: Command) -> bool:
    values = command.values()
    if posixpath.basename(command.name) != "hipcc" or not any(value.endswith(_SOURCES) for value in values):
        return False
    named = ("--offload-arch", "--amdgpu-target", "--offload-host-only", "-E")
    return not any(value.startswith(named) for value in values)


def _given(file: LintFile, run: Run, command: Command) -> bool:
    """An arch reaches the command: on its line, exported before it, or by ARG or ENV of this file."""
    if any(_ARCH.fullmatch(a.name) for a in (*command.assignments, *run.script.assignments)):
        return True
    if any(_ARCH.search(value) or "gfx" in value for value in command.values()):
        return True
    variant = file.scopes.variants_of(run.stage)[0]
    for stage in file.scopes.lineage(run.stage, variant):
        for instruction in stage.instructions:
            if instruction.index > run.instruction.index or instruction.keyword not in {"ARG", "ENV"}:
                continue
            if instruction.keyword == "ARG" and stage is not run.stage:
                continue
            if any(pair.name in _READ and pair.value != "" for pair in instruction.pairs):
                return True
    return False


# Names that build systems read from the environment; GPU_ARCH_LIST and the like are the Dockerfile's own.
_READ: Final = frozenset(
    {"PYTORCH_ROCM_ARCH", "GPU_ARCHS", "AMDGPU_TARGETS", "AMDGPU_TARGET", "GPU_TARGETS", "HCC_AMDGPU_TARGET"}
    | {"CMAKE_HIP_ARCHITECTURES", "AITER_ROCM_ARCH", "MORI_GPU_ARCHS", "HIP_ARCHITECTURES"}
)


def check(file: LintFile) -> Iterable[Hit]:
    if not file.is_rocm:
        return
    for run, command in file.commands():
        if _hipcc(command):
            if not any(a.name == "HCC_AMDGPU_TARGET" for a in command.assignments):
                message = "hipcc without --offload-arch and without a GPU emits gfx906 code and exits 0"
                yield Hit(start=command.start, end=command.end, message=message)
            continue
        values = command.values()
        builds = (
            command.name.startswith("python")
            and len(values) > 1
            and values[0].startswith("setup")
            and values[0].endswith(".py")
            and bool(_VERBS & set(values[1:]))
        )
        if builds and not _given(file, run, command):
            yield Hit(
                start=command.start,
                end=command.end,
                message="this build gets no GPU arch from this file: it takes the base image's list, or asks for a GPU",
                level=Level.WARNING,
            )


RULE: Final = Rule(
    id="ROC026",
    failure_class="F26",
    level=Level.ERROR,
    title="GPU code is compiled without an arch",
    why="A build sees no GPU. Compilers fall back to an old arch or to the base image's list; the kernel is missing.",
    fix="Pass the arch of the target: --offload-arch=gfx942, PYTORCH_ROCM_ARCH, GPU_ARCHS or AMDGPU_TARGETS.",
    case="aiter#3839, gsplat#22, aiter#4525",
    bad="FROM rocm/dev-ubuntu-24.04:7.2\nRUN hipcc -shared -o k.so k.hip\n",
    good="FROM rocm/dev-ubuntu-24.04:7.2\nRUN hipcc --offload-arch=gfx942 -shared -o k.so k.hip\n",
    check=check,
)
