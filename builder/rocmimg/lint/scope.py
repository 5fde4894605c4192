"""ARG and ENV scopes, per stage and per value of the ARG that selects a stage.

Semantics are BuildKit's, measured on Docker 20.10: the last ARG or ENV of a name wins (the classic builder lets ENV win
over a later ARG), stages built on a stage inherit its ARGs and ENVs, an ARG without default takes the global one.
"""

from __future__ import annotations

import posixpath
import re
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from rocmimg.lint.expand import Lookup, expand, unquote, uses
from rocmimg.lint.syntax import Dockerfile, Instruction, Pair, Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """One ARG or ENV that gives a name a value."""

    pair: Pair
    instruction: Instruction
    stage: Stage | None

    @property
    def is_arg(self) -> bool:
        """Declared by ARG: a build argument may replace the value."""
        return self.instruction.keyword == "ARG"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One way to choose the stages: the values of the selecting build arguments."""

    label: str
    arguments: Mapping[str, str] = field(default_factory=dict)


_SWITCHES: Final = ("0", "1", "true", "false", "on", "off", "yes", "no")


@dataclass(slots=True)
class _History:
    indices: list[int] = field(default_factory=list)
    bindings: list[Binding] = field(default_factory=list)


class Scopes:
    """Answers what a name is worth at an instruction."""

    def __init__(self, dockerfile: Dockerfile, arguments: Mapping[str, str]) -> None:
        self.dockerfile = dockerfile
        self.arguments = dict(arguments)
        self.globals: dict[str, Binding] = {}
        for instruction in dockerfile.head:
            for pair in instruction.pairs:
                self.globals[pair.name] = Binding(pair=pair, instruction=instruction, stage=None)
        self._by_name: dict[str, list[Stage]] = {}
        self._history: list[dict[str, _History]] = []
        for stage in dockerfile.stages:
            if stage.name:
                self._by_name.setdefault(stage.name, []).append(stage)
            table: dict[str, _History] = {}
            for instruction in stage.instructions:
                if instruction.keyword in {"ARG", "ENV"}:
                    for pair in instruction.pairs:
                        history = table.setdefault(pair.name, _History())
                        history.indices.append(instruction.index)
                        history.bindings.append(Binding(pair=pair, instruction=instruction, stage=stage))
            self._history.append(table)
        self._parents: dict[tuple[int, str], Stage | None] = {}
        self.variants = self._find_variants()
        self.default = self.variants[0]

    # -- stages ------------------------------------------------------------------------------------------------------

    def _find_variants(self) -> list[Variant]:
        used = self._statically_used()
        for stage in reversed(self.dockerfile.stages):
            names = [use.name for use in uses(stage.image)]
            if len(names) != 1 or names[0] not in self.globals:
                continue
            name = names[0]
            parts = re.split(r"\$\{?" + re.escape(name) + r"[^}/:]*\}?", stage.image, maxsplit=1)
            pattern = re.compile(re.escape(parts[0]).lower() + "(.+)" + re.escape(parts[-1]).lower())
            found = [
                match[1]
                for other in self.dockerfile.stages[: stage.index]
                if other.name and other.name not in used and (match := pattern.fullmatch(other.name))
            ]
            if not found:
                continue
            preferred = self._global(name, {})
            if preferred is not None and preferred not in found:
                continue  # the argument names an outside image; no stage is chosen by it
            found.sort(key=lambda value: value != preferred)
            if name in self.arguments:
                found = [self.arguments[name]]
            return [Variant(label=value, arguments={**self.arguments, name: value}) for value in dict.fromkeys(found)]
        return [Variant(label="", arguments=self.arguments)]

    def _statically_used(self) -> set[str]:
        names: set[str] = set()
        for binding in self.globals.values():
            value = unquote(binding.pair.value or "").lower()
            # A stage that an ARG names as its default base is a base, unless that ARG itself selects (GPU_ARCH=gfx950).
            if value in self._by_name and not any(
                stage.image.strip("${}") == binding.pair.name and len(self.dockerfile.stages) - 1 == stage.index
                for stage in self.dockerfile.stages
            ):
                names.add(value)
        for stage in self.dockerfile.stages:
            if "$" not in stage.image:
                names.add(stage.image.lower())
            for instruction in stage.instructions:
                names.update(value.lower() for value in instruction.flag("from"))
        return names

    def switched_off(self, stage: Stage) -> bool:
        """A stage that ``FROM name_${SWITCH}`` takes only where a yes-or-no switch has not its default."""
        if not stage.name or stage.name in self._statically_used():
            return False
        for later in self.dockerfile.stages[stage.index + 1 :]:
            default = self._image(later, self.arguments)
            if default is None or default == stage.name or default.lower() not in self._by_name:
                continue
            for use in uses(later.image):
                value = self._global(use.name, self.arguments) or ""
                if value.lower() in _SWITCHES and any(
                    self._image(later, {**self.arguments, use.name: other}) == stage.name for other in _SWITCHES
                ):
                    return True
        return False

    def _global(self, name: str, arguments: Mapping[str, str]) -> str | None:
        if name in arguments:
            return arguments[name]
        binding = self.globals.get(name)
        if binding is None or binding.pair.value is None:
            return None
        return expand(
            unquote(binding.pair.value), lambda other: None if other == name else self._global(other, arguments)
        )

    def _image(self, stage: Stage, arguments: Mapping[str, str]) -> str | None:
        return expand(stage.image, lambda name: self._global(name, arguments))

    def parent(self, stage: Stage, variant: Variant) -> Stage | None:
        """The stage that a stage starts from, None for an outside image."""
        key = (stage.index, variant.label)
        if key not in self._parents:
            image = self._image(stage, variant.arguments)
            earlier = [other for other in self._by_name.get((image or "").lower(), []) if other.index < stage.index]
            self._parents[key] = earlier[-1] if earlier else None
        return self._parents[key]

    def lineage(self, stage: Stage, variant: Variant) -> list[Stage]:
        """The stage and those it is built on, nearest first."""
        result = [stage]
        while (parent := self.parent(result[-1], variant)) is not None:
            result.append(parent)
        return result

    def base_image(self, stage: Stage, variant: Variant) -> str | None:
        """The outside image at the root of a stage."""
        return self._image(self.lineage(stage, variant)[-1], variant.arguments)

    def variants_of(self, stage: Stage) -> list[Variant]:
        """The variants that use a stage on the way to the last one; all when it is a helper stage."""
        last = self.dockerfile.stages[-1]
        using = [variant for variant in self.variants if stage in self.lineage(last, variant)]
        return using or self.variants

    # -- values ------------------------------------------------------------------------------------------------------

    def binding(self, stage: Stage, index: int, name: str, variant: Variant) -> Binding | None:
        """The ARG or ENV in force for a name just before instruction `index`."""
        current: Stage | None = stage
        limit = index
        while current is not None:
            history = self._history[current.index].get(name)
            if history is not None:
                position = bisect_right(history.indices, limit - 1) - 1
                if position >= 0:
                    return history.bindings[position]
            current, limit = self.parent(current, variant), len(self.dockerfile.instructions)
        return None

    def value(
        self, stage: Stage, index: int, name: str, variant: Variant, *, defaults: bool = True, depth: int = 0
    ) -> str | None:
        """The value of a name before an instruction, None where it is open.

        With ``defaults=False`` an ARG counts as open, because a build argument may replace it, unless the variant or
        the command line fixes it.
        """
        binding = self.binding(stage, index, name, variant)
        if binding is None or depth > 16:  # noqa: PLR2004
            return None
        owner = binding.stage or stage
        if binding.is_arg:
            if name in variant.arguments:
                return variant.arguments[name]
            if not defaults:
                return None
            if binding.pair.value is None:
                declared = self.globals.get(name)
                if declared is not None and declared.pair.value is not None:
                    return self._global(name, variant.arguments)
                # Declared again without a default, it keeps what it had, also from the stage below.
                earlier = self.binding(owner, binding.instruction.index, name, variant)
                if earlier is None:
                    return ""
                return self.value(owner, binding.instruction.index, name, variant, defaults=defaults, depth=depth + 1)
        text = unquote(binding.pair.value or "")
        before = binding.instruction.index

        def inner(other: str) -> str | None:
            return self.value(owner, before, other, variant, defaults=defaults, depth=depth + 1)

        return expand(text, inner)

    def lookup(self, stage: Stage, index: int, variant: Variant, *, defaults: bool = True) -> Lookup:
        """`value` as a function of the name."""
        return lambda name: self.value(stage, index, name, variant, defaults=defaults)

    def env(self, stage: Stage, variant: Variant) -> dict[str, Binding]:
        """What the image of a stage hands on: every ENV of its lineage, the last one of each name."""
        result: dict[str, Binding] = {}
        for current in reversed(self.lineage(stage, variant)):
            for name, history in self._history[current.index].items():
                envs = [binding for binding in history.bindings if not binding.is_arg]
                if envs:
                    result[name] = envs[-1]
        return result

    def workdir(self, stage: Stage, index: int, variant: Variant) -> str:
        """The working directory before an instruction; ``/`` where nobody set one."""
        path = "/"
        for current in reversed(self.lineage(stage, variant)):
            for instruction in current.instructions:
                if current is stage and instruction.index >= index:
                    break
                if instruction.keyword == "WORKDIR" and instruction.words:
                    text = " ".join(instruction.words)
                    value = expand(text, self.lookup(current, instruction.index, variant)) or text
                    path = posixpath.normpath(posixpath.join(path, value))
        return path

    def shell(self, stage: Stage, index: int, variant: Variant) -> tuple[str, ...]:
        """The interpreter of RUN before an instruction."""
        shell: tuple[str, ...] = ("/bin/sh", "-c")
        for current in reversed(self.lineage(stage, variant)):
            for instruction in current.instructions:
                if current is stage and instruction.index >= index:
                    break
                if instruction.keyword == "SHELL" and instruction.words:
                    shell = instruction.words
        return shell
