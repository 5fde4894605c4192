"""Two images side by side: what is pinned, switched, set and installed differently, and which stages that changes."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from rocmimg.matrix.cell import Cell, Matrix
from rocmimg.plan.adopted import own_stages
from rocmimg.plan.expected import ExpectedComponent, expected_image
from rocmimg.render import Stage, render

SECTIONS: Final = ("image", "flags", "arguments", "pins", "options", "packages", "python", "env", "stages")


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
    before, after = (_rendered(*side)[0].splitlines(keepends=True) for side in (left, right))
    return "".join(difflib.unified_diff(before, after, left[1].id, right[1].id))


def _rendered(matrix: Matrix, cell: Cell) -> tuple[str, tuple[Stage, ...]]:
    """The Dockerfile and its stages; nothing for an image that another pipeline builds."""
    if cell.has_recipes:
        rendered = render(matrix, cell, rootfs=False)
        return rendered.text, rendered.stages
    return own_stages(cell)


def _values(matrix: Matrix, cell: Cell) -> dict[str, Mapping[str, str]]:
    """Section -> key -> value as text."""
    image = expected_image(matrix, cell)
    return {
        "image": {
            "base": image.base,
            "archs": " ".join(image.archs),
            "workdir": image.workdir,
            "user": image.user,
            "entrypoint": json.dumps(image.entrypoint),
            "command": json.dumps(image.command),
        },
        "flags": {name: _text(value) for name, value in image.flags.items()},
        "arguments": cell.build_args,
        "pins": {component.name: _pin(component, image.archs) for component in image.components},
        "options": {
            f"{component.name}.{option}": _text(value)
            for component in image.components
            for option, value in (
                ("install", component.install),
                ("submodules", component.submodules),
                *component.options.items(),
                *component.build_env.items(),
            )
        },
        "packages": {
            "base": " ".join(image.base_apt),
            **{component.name: " ".join(component.apt) for component in image.components},
            "final": " ".join(image.apt),
        },
        "python": {
            **{f"common_pip.{name}": version for name, version in image.common_pip.items()},
            **{f"{c.name}.{name}": version for c in image.components for name, version in c.tools.items()},
            **{f"pip.{name}": version for name, version in image.pip.items()},
            "protect": " ".join(image.keep),
            "uninstall": " ".join(image.uninstall),
        },
        "env": image.env,
        "stages": {
            stage.name: f"{stage.text.count(chr(10))} lines, {hashlib.sha256(stage.text.encode()).hexdigest()[:12]}"
            for stage in _rendered(matrix, cell)[1]
        },
    }


def _pin(component: ExpectedComponent, archs: tuple[str, ...]) -> str:
    changes = [*(f"-{commit}" for commit in component.reverts), *(f"+{commit}" for commit in component.picks)]
    source = {"git": component.repo, "none": ""}.get(component.source, component.source)
    fewer = component.archs if component.archs != archs else ()
    pin = " ".join(part for part in (source, component.commit or component.ref, *changes, *fewer) if part)
    return pin or f"recipe {component.recipe}"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return " ".join(value) if isinstance(value, tuple) else str(value)
