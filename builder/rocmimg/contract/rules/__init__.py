"""What cannot be read from a package's Python text: one small file per package that has such things."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules

_TRANSPARENT = (
    "staticmethod", "cache", "lru_cache", "no_grad", "inference_mode", "contextmanager", "deprecated", "disable",
    "allow_in_graph", "dynamo_disable", "jit_ignore", "wraps", "abstractmethod",
)  # fmt: skip


Switches = tuple[tuple[str, str], ...]
"""Variables of an image's environment that decide what a package offers, with their values, sorted."""


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
    switches: tuple[str, ...] = ()
    """Variables of the environment that decide, on import, what the package offers."""
    mirrors: tuple[str, ...] = ()
    """External modules whose star import adds nothing that the package's own stubs do not name."""


def special_packages() -> frozenset[str]:
    """Packages with rules of their own."""
    return frozenset(module.name for module in iter_modules(__path__))


def switches_of(package: str, environment: Mapping[str, str]) -> Switches:
    """What of an image's environment decides what a package offers there."""
    return tuple((name, environment[name]) for name in sorted(rules_for(package).switches) if name in environment)


def with_switches(name: str, switches: Switches) -> str:
    """A source as it is shown: what was said to it belongs to it."""
    said = ", ".join(f"{variable}={value}" for variable, value in switches)
    return f"{name} with {said}" if said else name


def rules_for(package: str) -> Rules:
    """The rules of a package; the general ones where it needs no special ones."""
    if package not in special_packages():
        return Rules(package=package)
    rules = import_module(f"{__name__}.{package}").RULES
    assert isinstance(rules, Rules)  # noqa: S101
    return rules
