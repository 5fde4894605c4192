"""One file with everything that rules ask of it, worked out once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Final

from rocmimg.lint import shell
from rocmimg.lint.expand import Lookup, expand
from rocmimg.lint.scope import Scopes, Variant
from rocmimg.lint.syntax import SHELLS, Dockerfile, Instruction, Stage
from rocmimg.lint.waivers import Waiver, inline

_ROCM: Final = re.compile(rb"rocm|\bhip|gfx\d|amdgpu", re.IGNORECASE)


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
    ) -> None:
        self.dockerfile = dockerfile
        self.source = dockerfile.source
        self.arguments = arguments
        self.today = today
        self.scopes = Scopes(dockerfile, arguments)
        self.siblings: tuple[LintFile, ...] = siblings
        """Files beside it that are named alike."""

    @cached_property
    def is_rocm(self) -> bool:
        """The file builds for ROCm: rules about torch and archs hold."""
        return _ROCM.search(self.source.data) is not None

    @cached_property
    def final(self) -> Stage | None:
        """The stage that becomes the image."""
        return self.dockerfile.stages[-1] if self.dockerfile.stages else None

    @cached_property
    def waivers(self) -> tuple[Waiver, ...]:
        """Waivers in comments of this file."""
        return tuple(inline(self.dockerfile))

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
                argv = (instruction.shell,) if instruction.shell else interpreter
                if argv[0].rpartition("/")[2] not in SHELLS:
                    continue
                script = shell.read(instruction.script, interpreter=argv, cwd=workdir)
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
        own: dict[str, list[shell.Assignment]] = {}
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

    def live_variants(self, run: Run, command: shell.Command) -> list[Variant]:
        """The variants in which a command may run."""
        return [variant for variant in self.scopes.variants_of(run.stage) if self.live(run, command, variant)]
