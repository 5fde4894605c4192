"""What a change rebuilds: stages of cells, from the plan alone.

A stage is rebuilt when its own text or one of its files changes, when a stage whose results it uses is rebuilt, and
when the image that the cell starts from is. The engine may rebuild less: a stage whose results come out as the same
bytes stops there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rocmimg.errors import ConfigError, Position, did_you_mean
from rocmimg.matrix import load
from rocmimg.matrix.dockerfile import fields_of
from rocmimg.matrix.history import at_commit, bring
from rocmimg.plan.make import make_plan
from rocmimg.plan.model import ImagePlan, Plan, stage_of

_WHY: Final = {
    "stage": "its instructions changed",
    "source": "the local source of {} changed",
    "file": "{} changed",
    "rootfs": "rootfs changed",
    "head": "what stands before the first FROM changed",
    "argument": "build argument {} changed",
    "context": "{} of the context changed",
    "image": "another image is named",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuild:
    """One cell after a change."""

    id: str
    stages: Mapping[str, str]
    """Stages that are rebuilt, in the order of the Dockerfile, and why."""
    kept: tuple[str, ...]
    """Stages that the build cache still has."""

    def as_json(self) -> dict[str, Any]:
        """One row of ``plan --changed --json``."""
        return {"id": self.id, "rebuilt": dict(self.stages), "kept": list(self.kept)}


def after_change_of(plan: Plan, components: Sequence[str]) -> tuple[Rebuild, ...]:
    """What the cells of ``plan`` rebuild when the pins or options of these components change.

    Raises:
        ConfigError: no cell of the plan has such a component.
    """
    known = {component.name for image in plan.images for component in image.cell.components}
    for name in components:
        if name not in known:
            raise ConfigError(
                f"--changed: no selected cell has a component {name!r}",
                next_step=did_you_mean(name, sorted(known)),
                position=Position("command line"),
            )
    seeds: dict[str, dict[str, str]] = {}
    for image in plan.images:
        changed = [
            (component, component.shared_with or component.name)
            for component in image.cell.components
            if component.name in components or component.shared_with in components
        ]
        fetched = {f"{owner}-source": owner for _, owner in changed}
        if not image.cell.has_recipes:
            seeds[image.id] = _taking(image, [component.name for component, _ in changed])
            continue
        seeds[image.id] = {
            stage: f"component {owner} changed"
            for stage, owner in (
                *((stage.name, fetched[stage.name]) for stage in image.stages if stage.name in fetched),
                *((stage_of(component, image.stages), owner) for component, owner in changed),
            )
        }
    return _spread(plan, seeds)


def _taking(image: ImagePlan, names: Collection[str]) -> dict[str, str]:
    """Stages of a Dockerfile of the project's own that get the pin of one of ``names`` by a build argument."""
    patterns = image.cell.dockerfile.args if image.cell.dockerfile else {}
    found = {}
    for one in image.inputs:
        for field in fields_of(patterns.get(one.name, "")) if one.kind == "argument" else ():
            if (name := field.partition(".")[0]) in names:
                found[one.stage] = f"build argument {one.name} is the pin of {name}"
    return found


def plan_at(file: Path, commit: str, cells: Collection[str]) -> Plan:
    """The plan of those of ``cells`` that the matrix ``file`` had at ``commit``.

    Raises:
        SourceError: there is no such commit, or the matrix or a local source was not there.
        ConfigError: the matrix was wrong then.
    """
    with at_commit(file, commit) as old:
        before = load(old)
        there = [cell for cell in before.cells if cell.id in cells]
        local = {component.local for cell in there for component in cell.components if component.local}
        local |= {cell.config.dockerfile.context for cell in there if cell.config.dockerfile}
        bring(file, commit, sorted(local), old.parent)
        return make_plan(before, [cell.id for cell in there])


def between(before: Plan, after: Plan) -> tuple[Rebuild, ...]:
    """What the cells of ``after`` rebuild, given that those of ``before`` were built."""
    old = {image.id: image for image in before.images}
    seeds = {
        image.id: _changed(old[image.id], image)
        if image.id in old
        else {stage.name: "the cell is new" for stage in image.stages}
        for image in after.images
    }
    return _spread(after, seeds)


def _changed(before: ImagePlan, after: ImagePlan) -> dict[str, str]:
    """Stages whose own inputs differ."""
    old = {(one.label, one.stage): one.sha256 for one in before.inputs}
    seeds: dict[str, str] = {}
    for one in after.inputs:
        if one.kind != "manifest" and old.get((one.label, one.stage)) != one.sha256:
            seeds.setdefault(one.stage, _WHY[one.kind].format(one.name))
    if not seeds and before.inputs != after.inputs:
        seeds["final"] = "what the image says of itself changed"
    return seeds


def _spread(plan: Plan, seeds: Mapping[str, Mapping[str, str]]) -> tuple[Rebuild, ...]:
    found: dict[str, Rebuild] = {}
    for image in plan.images:
        own = dict(seeds[image.id])
        if image.needs and found[image.needs].stages:
            for stage in image.stages:
                if not stage.uses:
                    own.setdefault(stage.name, f"cell {image.needs} is rebuilt")
        reasons: dict[str, str] = {}
        for stage in image.stages:  # each comes after those that it uses
            cause = next((used for used in stage.uses if used in reasons), None)
            if stage.name in own or cause:
                why = f"{cause} is rebuilt" if cause in ("base", "toolchain") else f"it uses {cause}"
                reasons[stage.name] = own.get(stage.name) or why
        names = [stage.name for stage in image.stages]
        found[image.id] = Rebuild(
            id=image.id,
            stages=reasons,
            kept=tuple(name for name in names if name not in reasons),
        )
    return tuple(found.values())
