"""What cannot be read from a package's Python text: one small file per package that has such things."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from rocmimg.contract.rules.base import Rules

__all__ = ["Rules", "rules_for", "special_packages"]


def special_packages() -> frozenset[str]:
    """Packages with rules of their own."""
    return frozenset(module.name for module in iter_modules(__path__)) - {"base"}


def rules_for(package: str) -> Rules:
    """The rules of a package; the general ones where it needs no special ones."""
    if package not in special_packages():
        return Rules(package=package)
    rules = import_module(f"{__name__}.{package}").RULES
    assert isinstance(rules, Rules)  # noqa: S101
    return rules
