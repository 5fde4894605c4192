"""Two images side by side: what is pinned, switched, set and installed differently, and which stages that changes."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from rocmimg.matrix.cell import Cell, Matrix, ResolvedComponent
from rocmimg.render import render
from rocmimg.render.dockerfile import base_reference, runtime_env
from rocmimg.source import Git, Local

SECTIONS: Final = ("image", "flags", "pins", "options", "packages", "python", "env", "stages")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One value that the two images do not share; None where an image does not have it."""

    section: str
    key: str
    left: str | None
    right: str | None


def compare(left: tuple[Matrix, Cell], right: tuple[Matrix, Cell]) -> list[Difference]:
    """Every difference, section by section.

    Raises:
        TemplateError, ConfigError: see :func:`rocmimg.render.render`.
    """
    sides = (_values(*left), _values(*right))
    found = [
        Difference(section=section, key=key, left=sides[0][section].get(key), right=sides[1][section].get(key))
        for section in SECTIONS
        for key in dict.fromkeys([*sides[0][section], *sides[1][section]])
    ]
    return [difference for difference in found if (difference.left or "") != (difference.right or "")]


def text_diff(left: tuple[Matrix, Cell], right: tuple[Matrix, Cell]) -> str:
    """The two Dockerfiles as a unified diff; empty where they are the same."""
    before, after = (render(*side, rootfs=False).text.splitlines(keepends=True) for side in (left, right))
    return "".join(difflib.unified_diff(before, after, left[1].id, right[1].id))


def _values(matrix: Matrix, cell: Cell) -> dict[str, Mapping[str, str]]:
    """Section -> key -> value as text."""
    config = cell.config
    by_name = {component.name: component for component in cell.components}
    return {
        "image": {
            "base": base_reference(matrix, cell, rootfs=False),
            "archs": " ".join(cell.archs),
            "workdir": config.workdir,
            "user": config.user,
            "entrypoint": json.dumps(config.entrypoint),
            "command": json.dumps(config.command),
        },
        "flags": {name: _text(value) for name, value in cell.flags.items()},
        "pins": {name: _pin(component) for name, component in by_name.items()},
        "options": {
            f"{name}.{option}": _text(value)
            for name, component in by_name.items()
            for option, value in (("install", component.install or ""), *component.options.items())
        },
        "packages": {
            "base": " ".join(config.base.apt),
            **{name: " ".join((*c.recipe.apt.build, *c.config.apt)) for name, c in by_name.items()},
            "final": " ".join(sorted({*config.apt, *(p for c in cell.components for p in c.recipe.apt.runtime)})),
        },
        "python": {
            **{f"tools.{name}": version for name, version in config.tools.items()},
            **{f"{c.name}.{name}": version for c in cell.components for name, version in c.tools.items()},
            **{f"pip.{name}": version for name, version in config.pip.items()},
            "keep": " ".join(config.keep),
            "remove": " ".join(config.remove),
        },
        "env": runtime_env(cell),
        "stages": {
            stage.name: f"{stage.text.count(chr(10))} lines, {hashlib.sha256(stage.text.encode()).hexdigest()[:12]}"
            for stage in render(matrix, cell, rootfs=False).stages
        },
    }


def _pin(component: ResolvedComponent) -> str:
    match component.source:
        case Git(repo=repo, ref=ref, picks=picks, reverts=reverts):
            changes = [f"-{commit}" for commit in reverts] + [f"+{commit}" for commit in picks]
            return " ".join((repo, ref, *changes, *component.config.archs))
        case Local(folder=folder):
            return f"local:{folder}"
    return " ".join(component.config.archs) or f"recipe {component.recipe.name}"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return " ".join(value) if isinstance(value, tuple) else str(value)
