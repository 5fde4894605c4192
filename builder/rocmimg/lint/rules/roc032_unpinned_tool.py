"""F32: a build tool without an upper bound."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rocmimg.lint.context import LintFile
from rocmimg.lint.installs import pip_install
from rocmimg.lint.model import Hit, Level, Rule

_TOOLS: Final = frozenset(
    {"cmake", "cython", "hatchling", "maturin", "meson", "meson-python", "ninja", "nanobind", "pybind11"}
    | {"scikit-build-core", "setuptools", "setuptools-rust", "setuptools-scm", "wheel", "z3-solver", "flit-core"}
)


def check(file: LintFile) -> Iterable[Hit]:
    for _, command in file.commands():
        install = pip_install(command)
        if install is None or install.has("-c", "--constraint", "--require-hashes"):
            continue
        loose = [need for need in install.requirements if need.name in _TOOLS and not need.bounded]
        if loose:
            names = ", ".join(dict.fromkeys(need.name for need in loose))
            yield Hit(
                start=loose[0].word.start,
                end=loose[-1].word.end,
                message=f"{names}: the newest version of the day is installed",
            )


RULE: Final = Rule(
    id="ROC032",
    failure_class="F32",
    level=Level.WARNING,
    title="a build tool has no upper bound",
    why="A new release of a build tool breaks an image that nobody changed.",
    fix="Pin it: cmake==4.3.4, or an upper bound as in maturin<1.14.",
    case="sglang#30942 (cmake), sglang#27999 (maturin), sglang#18452 (z3-solver)",
    bad="FROM rocm/pytorch:latest\nRUN pip install cmake\n",
    good="FROM rocm/pytorch:latest\nRUN pip install cmake==4.3.4\n",
    check=check,
    replaces=("DL3013",),
)
