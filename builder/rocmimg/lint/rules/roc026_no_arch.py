"""F26: GPU code is compiled without saying for which GPU."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import chain, pairwise
from typing import Final

from rocmimg.lint.context import LintFile, Run
from rocmimg.lint.expand import Lookup
from rocmimg.lint.images import Image
from rocmimg.lint.installs import Requirement, pip_install
from rocmimg.lint.model import Evidence, Hit, Level, Rule
from rocmimg.lint.projects import GPU_BUILDS, GPU_SOURCES, LISTED_BUILDS, NO_GPU_BUILDS
from rocmimg.lint.shell import Command, Word
from rocmimg.lint.tools import clone_folder

_ARCH: Final = re.compile(
    r"(PYTORCH_ROCM_ARCH|\w*GPU_ARCHS?|\w*GPU_ARCH_LIST|AMDGPU_TARGETS?|GPU_TARGETS|HIP_ARCHITECTURES|\w*ROCM_ARCH"
    r"|CMAKE_HIP_ARCHITECTURES|HCC_AMDGPU_TARGET|ROCM_TARGETS?|HIP_ARCHS?)"
)
_VERBS: Final = frozenset({"install", "develop", "build_ext", "bdist_wheel", "build"})
_SOURCES: Final = (".hip", ".cu", ".cpp", ".cc", ".cxx", ".c")


# Names that build systems read from the environment; GPU_ARCH_LIST and the like are the Dockerfile's own.
_READ: Final = frozenset(
    {"PYTORCH_ROCM_ARCH", "GPU_ARCHS", "AMDGPU_TARGETS", "AMDGPU_TARGET", "GPU_TARGETS", "HCC_AMDGPU_TARGET"}
    | {"CMAKE_HIP_ARCHITECTURES", "AITER_ROCM_ARCH", "MORI_GPU_ARCHS", "HIP_ARCHITECTURES", "HIPARCHS", "ROCM_ARCH"}
)
_HIP_SWITCH: Final = re.compile(
    r"-D\w*(?:HIP|ROCM|HIPBLAS)\w*(?::\w+)?=(?:ON|1|TRUE|YES|on|true)$|-DCMAKE_(?:CXX|HIP)_COMPILER=\S*hipcc$"
)
_NO_SWITCH: Final = re.compile(r"-D\w*(?:TEST|DOC|EXAMPLE|BENCH|INSTALL|STATIC|SHARED)\w*=", re.IGNORECASE)
_MAKE_SWITCH: Final = re.compile(r"\w*(?:HIP|HIPBLAS|ROCM)\w*=(?:1|ON|on|yes|true)$")
_KERNELS: Final = re.compile(r"HIP\w*(?::\w+)?=|(?:^|[\s-]D?)(?:USE|ENABLE|WITH|BUILD)_ROCM\w*(?::\w+)?=|hipcc")
_BUILDER: Final = re.compile(r"hipcc|(amd)?clang|c?cmake|g?make$|python|pip|uv$|\$")
_ENV_SWITCH: Final = frozenset({"CMAKE_ARGS", "CMAKE_FLAGS", "SKBUILD_CMAKE_ARGS"})
_NATIVE: Final = re.compile(
    r"\w*_ARCH_\w+(?::\w+)?=(?:ON|1|TRUE|YES)|Kokkos_ARCH_\w+|AMREX_AMD_ARCH|-DHIP_ARCH|gfx", re.IGNORECASE
)


def _compiles(command: Command) -> bool:
    """A compiler that is told to make GPU code, and not for which GPU."""
    values = command.values()
    if not any(value.endswith(_SOURCES) for value in values):
        return False
    named = ("--offload-arch", "--amdgpu-target", "--offload-host-only", "-E", "--genco", "--version")
    if any(value.startswith(named) for value in values):
        return False
    if command.name == "hipcc":
        return True
    clang = re.fullmatch(r"(amd)?clang(\+\+)?(-\d+)?", command.name) is not None
    return clang and any(pair == ("-x", "hip") for pair in pairwise(values))


def _switches(command: Command, lookup: Lookup) -> bool:
    """A build that is told to use HIP: by an option of cmake or make, or by CMAKE_ARGS for pip."""
    values = _joined(command)
    if command.name in {"cmake", "ccmake"} and "--build" not in values and "--install" not in values:
        compilers = [a.value.value for a in command.assignments if a.name in {"CC", "CXX", "HIPCXX"}]
        if any(value.endswith("hipcc") for value in compilers):
            return True
        return any(_HIP_SWITCH.match(value) and not _NO_SWITCH.match(value) for value in values)
    if command.name in {"make", "gmake"}:
        return any(_MAKE_SWITCH.match(value) for value in [*values, *_set(command)])
    pip = pip_install(command)
    if pip is None:
        return False
    texts = [a.value.value for a in command.assignments if a.name in _ENV_SWITCH]
    texts += [lookup(name) or "" for name in _ENV_SWITCH] if pip.projects or pip.requirements else []
    texts += [word.value.partition("=")[2] for word in pip.values("-C", "--config-settings", "--config-setting")]
    return any(_HIP_SWITCH.match(word) for text in texts for word in re.split(r"[\s;]+", text))


def _joined(command: Command) -> list[str]:
    """The arguments, with ``-D NAME=value`` as one."""
    values = command.values()
    return [*values, *(f"-D{after}" for before, after in pairwise(values) if before == "-D")]


def _set(command: Command) -> list[str]:
    return [f"{a.name}={a.value.value}" for a in command.assignments]


def _given(file: LintFile, run: Run, command: Command) -> bool:
    """An arch reaches the command: on its line, exported before it, or by ARG or ENV of this file."""
    own = (*command.assignments, *run.script.assignments)
    if any(_ARCH.fullmatch(a.name) or _NATIVE.search(a.value.value) or _ARCH.search(a.value.value) for a in own):
        return True
    words = [file.resolve(run, word) or word.value for word in command.words]
    if any(_ARCH.search(text) or _NATIVE.search(text) for text in words):
        return True
    variant = file.scopes.variants_of(run.stage)[0]
    for stage in file.scopes.lineage(run.stage, variant):
        for instruction in stage.instructions:
            if instruction.index > run.instruction.index or instruction.keyword not in {"ARG", "ENV"}:
                continue
            for pair in instruction.pairs:
                if pair.name in _READ and pair.value != "":
                    return True
                if pair.name in _ENV_SWITCH and _ARCH.search(pair.value or ""):
                    return True
    return False


def _project(file: LintFile, run: Run, command: Command) -> str:
    """The checkout in which a command works, by the name of its folder."""
    cwd = command.cwd or ""
    if "$" in cwd:
        cwd = file.resolve(run, Word(value=cwd, start=0, end=0, literal=False)) or cwd
    parts = [part for part in cwd.lower().split("/") if part not in {"", "python", "src", "build", ".."}]
    return parts[-1] if parts else ""


def check(file: LintFile) -> Iterable[Hit]:
    if not file.is_rocm:
        return
    for run, command in file.commands():
        if not _BUILDER.match(command.name) or not file.for_rocm(run.stage):
            continue
        if file.by_default(run, command) is False:
            continue
        if _compiles(command):
            if not _given(file, run, command):
                message = f"{command.name} without --offload-arch and without a GPU emits gfx906 code and exits 0"
                yield Hit(start=command.start, end=command.end, message=message)
        elif (found := _build(file, run, command)) is not None and not _given(file, run, command):
            what, evidence = found
            # An image with torch brings a list of archs of its own.
            listed = any(image.torch is not False for image in file.images(run.stage) or (Image(""),))
            yield Hit(
                start=command.start,
                end=command.end,
                message=f"{what} gets no GPU arch from this file: it takes the base image's list, or asks for a GPU",
                level=Level.WARNING,
                evidence=Evidence.ASSUMED if listed and evidence is Evidence.PROJECT else evidence,
            )


def _repository(need: Requirement) -> str:
    """The repository of ``git+https://...``, by its name."""
    match = re.search(r"git\+\w+://[^@\s#]+", need.word.value)
    return clone_folder(match[0]).lower() if match else ""


def _build(file: LintFile, run: Run, command: Command) -> tuple[str, Evidence] | None:
    project = _project(file, run, command)
    if project in NO_GPU_BUILDS | LISTED_BUILDS:
        return None
    if _switches(command, file.lookup(run)):
        # X_USE_ROCM of a tool for the host switches libraries on, no kernels.
        words = [*_joined(command), *_set(command), *(file.lookup(run)(name) or "" for name in _ENV_SWITCH)]
        kernels = any(_KERNELS.search(word) for word in words)
        return f"this {command.name} for HIP", Evidence.TEXT if kernels else Evidence.ASSUMED
    values = command.values()
    pip = pip_install(command)
    if pip is not None:
        by_name = (need.name for need in pip.requirements if need.name in GPU_SOURCES)
        checkouts = (_repository(need) for need in pip.requirements)
        named = next(chain(by_name, (name for name in checkouts if name in GPU_BUILDS)), None)
        triton_only = file.lookup(run)("FLASH_ATTENTION_TRITON_AMD_ENABLE") or "FLASH_ATTENTION_TRITON_AMD_ENABLE" in {
            a.name for a in command.assignments
        }
        if named is None or (named in {"flash-attn", "flash-attention"} and triton_only):
            return None
        return f"{named}, which pip compiles from source,", Evidence.PROJECT
    builds = (
        command.name.startswith("python")
        and len(values) > 1
        and values[0].startswith("setup")
        and values[0].endswith(".py")
        and bool(_VERBS & set(values[1:]))
    )
    if not builds:
        return None
    return f"this build of {project or 'a project'}", Evidence.PROJECT if project in GPU_BUILDS else Evidence.ASSUMED


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
