"""A Dockerfile as stages: what each starts from, takes from others, and is made of. BuildKit's own parser reads it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import dockerfile

from rocmimg.errors import BuildError

_VARIABLE: Final = re.compile(r"\$(?:(\w+)|\{(\w+)(?::?-([^}]*))?\})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage of a Dockerfile."""

    name: str
    """Its own, or ``stage-2``."""
    base: str
    """An image, or the name of an earlier stage."""
    steps: tuple[dockerfile.Command, ...]
    """FROM first."""
    needs: frozenset[int]
    """Earlier stages that it starts from, copies from or mounts."""

    @property
    def arguments(self) -> frozenset[str]:
        """Names that its ARG instructions declare."""
        return frozenset(_names(self.steps))


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """An image that a Dockerfile takes from elsewhere."""

    reference: str
    line: int
    """The first line that names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """A Dockerfile, parsed."""

    lines: tuple[str, ...]
    head: str
    """What stands before the first stage."""
    arguments: Mapping[str, str]
    """What the ARG instructions before the first stage come to."""
    stages: tuple[Stage, ...]

    def text(self, step: dockerfile.Command) -> str:
        """A step as it is written."""
        return "\n".join(self.lines[step.start_line - 1 : step.end_line])

    def needed(self, target: str | None) -> list[int]:
        """The stages that ``target`` (else the last one) is made of, and itself as the last.

        Raises BuildError where there is no such stage.
        """
        last = len(self.stages) - 1
        if target:
            named = (n for n, one in enumerate(self.stages) if target.lower() in {one.name.lower(), str(n)})
            if (last := next(named, -1)) < 0:
                raise BuildError(f"the Dockerfile has no stage {target}")
        found = {last}
        for number in range(last, -1, -1):
            if number in found:
                found |= self.stages[number].needs
        return sorted(found)

    def root(self, target: str | None) -> Outside:
        """What ``target`` (else the last stage) starts from in the end: an image, or ``scratch``."""
        by_name = {stage.name.lower(): stage for stage in self.stages}
        stage = self.stages[self.needed(target)[-1]]
        while (below := by_name.get(stage.base.lower())) and below.steps[0].start_line < stage.steps[0].start_line:
            stage = below
        return Outside(reference=stage.base, line=stage.steps[0].start_line)

    def outside(self, target: str | None) -> tuple[Outside, ...]:
        """The images that the stages of ``target`` start from, copy from or mount, each once."""
        names = {word for number, stage in enumerate(self.stages) for word in (stage.name.lower(), str(number))}
        found: dict[str, Outside] = {}
        for number in self.needed(target):
            stage = self.stages[number]
            for step in stage.steps:
                for word in [stage.base] if step.cmd.upper() == "FROM" else references([step]):
                    if word and word != "scratch" and word.lower() not in names:
                        found.setdefault(word, Outside(reference=word, line=step.start_line))
        return tuple(found.values())

    def pinned(self, digests: Mapping[str, str]) -> str:
        """The text with a digest behind each reference that ``digests`` has; every line keeps its number."""
        lines = list(self.lines)
        for stage in self.stages:
            for step in stage.steps:
                text = self.text(step)
                if step.cmd.upper() == "FROM" and (digest := digests.get(stage.base)):
                    text = re.sub(
                        rf"(?<=\s){re.escape(step.value[0])}(?=\s|$)", f"{stage.base}@{digest}", text, count=1
                    )
                for word in filter(digests.get, references([step])):
                    text = re.sub(rf"(?<=from=){re.escape(word)}(?=[\s,]|$)", f"{word}@{digests[word]}", text)
                lines[step.start_line - 1 : step.end_line] = text.split("\n")
        return "\n".join(lines)


def _names(steps: Iterable[dockerfile.Command]) -> Iterator[str]:
    return (word.partition("=")[0] for step in steps if step.cmd.upper() == "ARG" for word in step.value)


def parse(text: str, build_args: Mapping[str, str]) -> Stages:
    """Tell the stages of a Dockerfile apart.

    Raises:
        BuildError: it cannot be read.
    """
    try:
        commands = dockerfile.parse_string(text)
    except dockerfile.GoParseError as error:
        raise BuildError("the Dockerfile cannot be read", why=" ".join(str(error).split())) from None
    starts = [n for n, command in enumerate(commands) if command.cmd.upper() == "FROM"]
    if not starts or not all(commands[n].value for n in starts):
        raise BuildError("the Dockerfile has no FROM that names an image")
    lines = tuple(text.split("\n"))
    known: dict[str, str] = {}
    for command in commands[: starts[0]]:
        for word in command.value:
            name, _, value = word.partition("=")
            known[name] = build_args.get(name, expand(value.strip("\"'"), known))
    index: dict[str, int] = {}
    stages: list[Stage] = []
    for number, (start, end) in enumerate(zip(starts, [*starts[1:], len(commands)], strict=True)):
        base, *alias = commands[start].value
        base = expand(base, known)
        name = alias[-1] if alias else f"stage-{number}"
        steps = tuple(commands[start:end])
        named = {base.lower(), *references(steps[1:])}
        stages.append(
            Stage(name=name, base=base, steps=steps, needs=frozenset(index[word] for word in named if word in index))
        )
        index[str(number)] = number
        if alias:
            index[name.lower()] = number
    head = "\n".join(lines[: commands[starts[0]].start_line - 1])
    return Stages(lines=lines, head=head, arguments=known, stages=tuple(stages))


def expand(word: str, known: Mapping[str, str]) -> str:
    """A word with its variables filled in; one that nobody set is empty."""
    return _VARIABLE.sub(lambda m: known.get(m[1] or m[2]) or m[3] or "", word)


def instruction(step: dockerfile.Command) -> tuple[str, tuple[str, ...]]:
    """What a step does in the end, and with which flags: an ONBUILD holds another instruction."""
    if step.cmd.upper() != "ONBUILD":
        return step.cmd.upper(), step.flags
    return (step.sub_cmd or "").upper(), tuple(word for word in step.original.split() if word.startswith("--"))


def references(steps: Iterable[dockerfile.Command]) -> Iterator[str]:
    """What steps copy from or mount besides the build context, in lower case: images, or names of stages."""
    for step in steps:
        for flag in instruction(step)[1]:
            name, _, value = flag.partition("=")
            match name.lower():
                case "--from":
                    yield value.lower()
                case "--mount":
                    yield mount_fields(value).get("from", "").lower()


def mount_fields(mount: str) -> dict[str, str]:
    """The fields of a mount under the names that they are documented with first."""
    pairs = (field.partition("=") for field in mount.split(","))
    known = {"src": "source", "dst": "target", "destination": "target"}
    return {"type": "bind", **{known.get(key.lower(), key.lower()): value for key, _, value in pairs}}
