"""F13: a variable of the build stays in the image."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from rocmimg.lint.context import LintFile
from rocmimg.lint.model import Hit, Level, Rule
from rocmimg.lint.scope import Binding

_BUILD_ONLY: Final = re.compile(
    r"SETUPTOOLS_SCM_PRETEND_VERSION.*|SCCACHE_\w+|CCACHE_\w+|DEBIAN_FRONTEND|MAX_JOBS|CARGO_BUILD_JOBS|NVCC_THREADS"
    r"|(?:http|https|ftp|all)_proxy|(?:HTTP|HTTPS|FTP|ALL)_PROXY|PIP_INDEX_URL|PIP_EXTRA_INDEX_URL"
    r"|CMAKE_BUILD_PARALLEL_LEVEL|MAKEFLAGS"
)
_ARCH_LIST: Final = frozenset(
    {"PYTORCH_ROCM_ARCH", "GPU_ARCHS", "AMDGPU_TARGETS", "AITER_ROCM_ARCH", "HCC_AMDGPU_TARGET"}
)
_GFX: Final = re.compile(r"gfx[0-9a-f]{3,4}")


def _foreign(file: LintFile, binding: Binding) -> Iterator[Hit]:
    """An arch list that names more than the one arch that the variant is for."""
    final = file.final
    if final is None:
        return
    owner = binding.stage or final
    for variant in file.scopes.variants_of(owner):
        wanted = set(_GFX.findall(variant.label))
        value = file.scopes.value(final, len(file.dockerfile.instructions), binding.pair.name, variant) or ""
        extra = set(_GFX.findall(value)) - wanted
        if wanted and extra:
            yield Hit(
                start=binding.pair.start,
                end=binding.pair.end,
                message=f"{binding.pair.name} of the image for {variant.label} also names {', '.join(sorted(extra))}",
                level=Level.NOTE,
            )
            return


def check(file: LintFile) -> Iterable[Hit]:
    final = file.final
    if final is None:
        return
    found: dict[int, Binding] = {}
    for variant in file.scopes.variants:
        found.update({binding.pair.start: binding for binding in file.scopes.env(final, variant).values()})
    for _, binding in sorted(found.items()):
        name = binding.pair.name
        value = file.scopes.value(final, len(file.dockerfile.instructions), name, file.scopes.default)
        if name in _ARCH_LIST:
            yield from _foreign(file, binding)
        elif _BUILD_ONLY.fullmatch(name) and value != "":
            yield Hit(
                start=binding.pair.start,
                end=binding.pair.end,
                message=f"{name} serves the build and stays in the environment of the image",
            )


RULE: Final = Rule(
    id="ROC013",
    failure_class="F13",
    level=Level.NOTE,
    title="a variable of the build stays in the image",
    why="Whoever installs or builds inside the image inherits it: another project's version, a cache that is gone.",
    fix="Use ARG, or set it on the command that needs it.",
    case="vllm#33156",
    bad="FROM ubuntu:24.04\nENV DEBIAN_FRONTEND=noninteractive\n",
    good="FROM ubuntu:24.04\nARG DEBIAN_FRONTEND=noninteractive\n",
    check=check,
)
