"""One file with everything that rules ask of it, worked out once."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Final

from rocmimg.lint import shell
from rocmimg.lint.build_context import BuildContext, Copied, copied, locate, read_text, shown
from rocmimg.lint.expand import Lookup, expand
from rocmimg.lint.images import Image
from rocmimg.lint.instructions import shebang
from rocmimg.lint.scope import Scopes, Variant
from rocmimg.lint.syntax import SHELLS, Dockerfile, Instruction, Stage
from rocmimg.lint.text import MappedText, Source
from rocmimg.lint.waivers import Waiver, in_script, inline

_NO_SHELL: Final = frozenset({".py", ".pl", ".rb", ".js", ".lua", ".php", ".fish", ".ps1", ".bat", ".R"})
# USE_ROCM=0 speaks of ROCm to say no.
_ROCM: Final = re.compile(rb"rocm(?!\w*=[\"']?(?:0|off|false|no)\b)|\bhip|gfx\d|amdgpu", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A RUN with its script."""

    stage: Stage
    instruction: Instruction
    script: shell.Script
    workdir: str


class LintFile:
    """A parsed Dockerfile, its scopes, and the scripts of its RUN instructions."""

    def __init__(
        self,
        dockerfile: Dockerfile,
        arguments: Mapping[str, str],
        *,
        today: date,
        siblings: tuple[LintFile, ...] = (),
        build_context: BuildContext | None = None,
    ) -> None:
        self.dockerfile = dockerfile
        self.source = dockerfile.source
        self.arguments = arguments
        self.today = today
        self.scopes = Scopes(dockerfile, arguments)
        self.siblings: tuple[LintFile, ...] = siblings
        """Files beside it that are named alike."""
        self.build_context = build_context
        self._scripts: dict[str, tuple[int, Source]] = {}
        self._next = len(self.source.data) + 1
        self._assigned: dict[int, dict[str, list[shell.Assignment]]] = {}
        self._default: dict[int, bool | None] = {}
        self._places: dict[int, list[Copied]] = {}
        self._for_rocm: dict[int, bool] = {}

    # -- places ------------------------------------------------------------------------------------------------------

    @property
    def sources(self) -> list[Source]:
        """The Dockerfile and the scripts of the build context that its RUNs start."""
        return [self.source, *(source for _, source in self._scripts.values())]

    def locate(self, offset: int) -> tuple[Source, int]:
        """The text that an offset is in, and its offset there: those of scripts follow those of the Dockerfile."""
        for base, source in reversed(self._scripts.values()):
            if offset >= base:
                return source, offset - base
        return self.source, offset

    def line(self, offset: int) -> int:
        """The line of an offset in its text."""
        source, inside = self.locate(offset)
        return source.line(inside)

    def context_text(self, run: Run, path: str, cwd: str | None) -> str | None:
        """A text file of the build context that lies at a path of the image."""
        if "$" in path or (cwd is None and not path.startswith("/")):
            return None
        place = locate(posixpath.normpath(posixpath.join(cwd or "/", path)), self.places(run))
        if place is None:
            return None
        data = place.body.data if place.body is not None else read_text(place.source) if place.source else None
        return data.decode(errors="replace") if data is not None else None

    def places(self, run: Run) -> list[Copied]:
        """What a RUN finds from the build context."""
        index = run.instruction.index
        if index not in self._places:
            self._places[index] = self.copied(run.stage, index, self.scopes.variants_of(run.stage)[0])
        return self._places[index]

    def copied(self, stage: Stage, index: int, variant: Variant) -> list[Copied]:
        """What the image has from the build context before an instruction, in that order."""
        found: list[Copied] = []
        for current in reversed(self.scopes.lineage(stage, variant)):
            for instruction in current.instructions:
                bound = instruction.keyword == "RUN" and instruction.index == index
                if current is stage and (instruction.index > index or (instruction.index == index and not bound)):
                    break
                if instruction.keyword in {"COPY", "ADD"} or bound:
                    workdir = self.scopes.workdir(current, instruction.index, variant)
                    lookup = self.scopes.lookup(current, instruction.index, variant)
                    found.extend(copied(instruction, self.build_context, workdir, lookup))
        return found

    def in_context(self, run: Run, path: str) -> Path | None:
        """Where a path of the image lies in the build context, as far as that is known."""
        place = locate(path, self.places(run))
        return place.source if place is not None else None

    def _script_files(self, stage: Stage, index: int, variant: Variant) -> shell.Files:
        places: list[Copied] | None = None

        def read_script(path: str, cwd: str | None) -> tuple[MappedText, tuple[str, ...]] | None:
            nonlocal places
            if "$" in path:
                path = expand(path, self.scopes.lookup(stage, index, variant)) or path
            if "$" in path or (cwd is None and not path.startswith("/")):
                return None
            if places is None:
                places = self.copied(stage, index, variant)
            place = locate(posixpath.normpath(posixpath.join(cwd or "/", path)), places)
            text = None if place is None else place.body or self._script_text(place.source)
            if text is None:
                return None
            argv = shebang(text.data)
            known = not argv or posixpath.basename(argv[0]) in SHELLS
            return (text, argv or ("sh",)) if known else None

        return read_script

    def _script_text(self, path: Path | None) -> MappedText | None:
        if path is None:
            return None
        key = str(path)
        if key not in self._scripts:
            data = read_text(path)
            if data is None or path.suffix in _NO_SHELL:
                return None
            self._scripts[key] = (self._next, Source.read(shown(path), data))
            self._next += len(data) + 1
        base, source = self._scripts[key]
        return MappedText.of(source.data, base)

    # -- content -----------------------------------------------------------------------------------------------------

    @cached_property
    def is_rocm(self) -> bool:
        """The file builds for ROCm: rules about torch and archs hold."""
        return _ROCM.search(self.source.data) is not None

    def images(self, stage: Stage) -> list[Image]:
        """The outside images at the root of a stage, one per variant; nothing where the name is open."""
        names = [self.scopes.base_image(stage, variant) for variant in self.scopes.variants_of(stage)]
        return [Image(name) for name in dict.fromkeys(names) if name]

    def for_rocm(self, stage: Stage) -> bool:
        """The stage, or one that it is built on, speaks of ROCm: by its image or in an instruction."""
        if stage.index not in self._for_rocm:
            lineage = self.scopes.lineage(stage, self.scopes.variants_of(stage)[0])
            texts = (self.source.data[i.start : i.end] for s in lineage for i in s.instructions)
            self._for_rocm[stage.index] = any(image.rocm for image in self.images(stage)) or any(
                map(_ROCM.search, texts)
            )
        return self._for_rocm[stage.index]

    @cached_property
    def final(self) -> Stage | None:
        """The stage that becomes the image."""
        return self.dockerfile.stages[-1] if self.dockerfile.stages else None

    @cached_property
    def waivers(self) -> tuple[Waiver, ...]:
        """Waivers in comments of this file and of the scripts that it starts."""
        if not self.runs:
            return tuple(inline(self.dockerfile))
        scripts = (waiver for base, source in self._scripts.values() for waiver in in_script(source, base))
        return (*inline(self.dockerfile), *scripts)

    @cached_property
    def runs(self) -> tuple[Run, ...]:
        """Every RUN whose text is a shell script."""
        found: list[Run] = []
        for stage in self.dockerfile.stages:
            variant = self.scopes.variants_of(stage)[0]
            workdir: str | None = None
            interpreter: tuple[str, ...] | None = None
            for instruction in stage.instructions:
                if instruction.keyword in {"WORKDIR", "SHELL"}:
                    workdir = interpreter = None
                if instruction.keyword not in {"RUN", "ONBUILD"}:
                    continue
                if instruction.script is None:
                    continue
                if workdir is None or interpreter is None:
                    workdir = self.scopes.workdir(stage, instruction.index, variant)
                    interpreter = self.scopes.shell(stage, instruction.index, variant)
                argv = instruction.shell or interpreter
                if posixpath.basename(argv[0]) not in SHELLS:
                    continue
                around = shell.Surroundings(
                    files=self._script_files(stage, instruction.index, variant),
                    variables=self.scopes.lookup(stage, instruction.index, variant),
                )
                script = shell.read(instruction.script, interpreter=argv, cwd=workdir, around=around)
                found.append(Run(stage=stage, instruction=instruction, script=script, workdir=workdir))
        return tuple(found)

    def commands(self, *names: str) -> Iterator[tuple[Run, shell.Command]]:
        """Commands of all RUNs, those with one of the names when any is given."""
        for run in self.runs:
            for command in run.script.commands:
                if not names or command.name in names:
                    yield run, command

    def lookup(self, run: Run, variant: Variant | None = None, *, defaults: bool = True) -> Lookup:
        """What a variable of a script is worth: set by the script itself, or by ARG and ENV before it."""
        chosen = variant or self.scopes.variants_of(run.stage)[0]
        outer = self.scopes.lookup(run.stage, run.instruction.index, chosen, defaults=defaults)
        own = self._assigned.get(run.instruction.index)
        if own is None:
            own = self._assigned[run.instruction.index] = {}
            for assignment in run.script.assignments:
                own.setdefault(assignment.name, []).append(assignment)

        def find(name: str, seen: frozenset[str] = frozenset()) -> str | None:
            assigned = own.get(name)
            if not assigned or name in seen:
                return outer(name)
            if len(assigned) > 1 or assigned[0].guards:
                return None
            word = assigned[0].value
            if word.literal or word.single:
                return word.value
            return expand(word.value, lambda other: find(other, seen | {name}))

        return find

    def resolve(self, run: Run, word: shell.Word, variant: Variant | None = None) -> str | None:
        """A shell word with its variables replaced."""
        return word.value if word.literal or word.single else expand(word.value, self.lookup(run, variant))

    def live(self, run: Run, command: shell.Command, variant: Variant) -> bool:
        """False where the branch around a command is known not to run in a variant."""
        if not command.guards:
            return True
        lookup = self.lookup(run, variant, defaults=False)
        return all(shell.holds(guard, lookup) is not False for guard in command.guards)

    def by_default(self, run: Run, command: shell.Command) -> bool | None:
        """Whether a command runs when no build argument is passed; None where nobody can tell."""
        if self.scopes.switched_off(run.stage):
            return False
        if not command.guards:
            return True
        key = id(command)  # it lives as long as its run
        if key not in self._default:
            lookup = self.lookup(run)
            results = [shell.holds(guard, lookup) for guard in command.guards]
            self._default[key] = False if False in results else None if None in results else True
        return self._default[key]

    def live_variants(self, run: Run, command: shell.Command) -> list[Variant]:
        """The variants in which a command may run."""
        return [variant for variant in self.scopes.variants_of(run.stage) if self.live(run, command, variant)]
