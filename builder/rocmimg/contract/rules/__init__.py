"""What cannot be read from a package's Python text: one small file per package that has such things."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules

_TRANSPARENT = (
    "staticmethod", "cache", "lru_cache", "no_grad", "inference_mode", "contextmanager", "deprecated", "disable",
    "allow_in_graph", "dynamo_disable", "jit_ignore", "wraps", "abstractmethod",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Facts about one package that its Python text does not show."""

    package: str
    roots: tuple[str, ...] = ("", "python", "src")
    """Folders of the repository in which the package may lie."""
    generated: tuple[str, ...] = ("_version", "version")
    """Modules, relative to the package, that the build writes: their names cannot be known from git."""
    built: tuple[str, ...] = ()
    """Modules, relative to the package, that the build compiles."""
    transparent: tuple[str, ...] = _TRANSPARENT
    """Decorators, by last name, that leave a function's signature as it is written."""
    adds_keywords: tuple[tuple[str, str], ...] = ()
    """(decorator, keyword that it adds)."""
    moved: tuple[tuple[str, str], ...] = ()
    """(package, name of its table): old submodule names to new ones, served by an import hook."""
    enum_sources: tuple[str, ...] = ()
    """C++ files, relative to the repository or the wheel, in which pybind11 gives enums their members."""
    mirrors: tuple[str, ...] = ()
    """External modules whose star import adds nothing that the package's own stubs do not name."""


def special_packages() -> frozenset[str]:
    """Packages with rules of their own."""
    return frozenset(module.name for module in iter_modules(__path__))


def rules_for(package: str) -> Rules:
    """The rules of a package; the general ones where it needs no special ones."""
    if package not in special_packages():
        return Rules(package=package)
    rules = import_module(f"{__name__}.{package}").RULES
    assert isinstance(rules, Rules)  # noqa: S101
    return rules
