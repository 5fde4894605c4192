"""F33: a source at a ref that can move."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from rocmimg.lint.context import LintFile, Run
from rocmimg.lint.expand import uses
from rocmimg.lint.installs import pip_install
from rocmimg.lint.model import Hit, Level, Rule
from rocmimg.lint.shell import Command, Word
from rocmimg.lint.tools import FULL_SHA, Git, clone_folder, git

_SHORT_SHA: Final = re.compile(r"(?=.*\d)(?!20[0-3]\d[01]\d[0-3]\d$)[0-9a-f]{7,39}")
_TAG: Final = re.compile(r"(?:[\w-]*?[-_/])?v?\d+(?:\.\d+)+(?:[-._]?(?:post|rc|dev|a|b)[-.]?\d*|[-+]\w+)*")
_BRANCH: Final = re.compile(
    r"(?:origin/|refs/heads/)?(?:main|master|develop|devel|dev|trunk|next|nightly|edge|latest|mainline|amd-\w+"
    r"|(?:release|releases|branch|feature|users?|rel|wip|staging)/.+|.*[-_/](?:main|master|dev|develop|nightly|branch)"
    r"|v?\d+(?:\.\d+)*\.x)"
)


def _judge(ref: str, where: str) -> tuple[str, Level] | None:
    """What is wrong with a ref: nothing with a commit; a branch is known by its name, anything else may be a tag."""
    if FULL_SHA.fullmatch(ref) or _SHORT_SHA.fullmatch(ref):
        return None
    if ref in {"FETCH_HEAD", "-", "."} or ref.startswith(("HEAD", "stash", "refs/tags/tmp")):
        return None
    if _BRANCH.fullmatch(ref):
        return f"{where} is {ref!r}, a branch: every build takes another commit", Level.WARNING
    if _TAG.fullmatch(ref):
        return f"{where} is the tag {ref}: a tag can be moved", Level.NOTE
    return f"{where} is {ref!r}, a mutable ref: not a commit", Level.NOTE


def _where(file: LintFile, word: Word) -> str:
    names = [use.name for use in uses(word.value)]
    if not names:
        return "the ref"
    return names[0] if names[0] in file.arguments else f"{names[0]} by default"


def _hit(file: LintFile, run: Run, command: Command, word: Word) -> Iterator[Hit]:
    worst: tuple[str, Level] | None = None
    for variant in file.live_variants(run, command):
        ref = file.resolve(run, word, variant)
        judged = _judge(ref, _where(file, word)) if ref else None
        if judged and (worst is None or judged[1] is Level.WARNING):
            worst = judged
    if worst:
        level = Level.NOTE if file.by_default(run, command) is False else worst[1]
        yield Hit(start=word.start, end=word.end, message=worst[0], level=level)


class _Sources:
    """Clones, and what is checked out of them; a stage sees the clones of those that it is built on."""

    def __init__(self, file: LintFile) -> None:
        self.file = file
        self.clones: dict[tuple[int, str], tuple[Run, Command, Word | None]] = {}
        self.refs: dict[int, tuple[Run, Command, Word]] = {}
        self._last: dict[int, tuple[int, str]] = {}
        self._fetched: dict[tuple[int, str] | None, tuple[Run, Command, Word]] = {}

    def clone(self, run: Run, operation: Git, path: str) -> None:
        key = (run.stage.index, posixpath.normpath(path))
        self.clones[key] = (run, operation.command, operation.ref)
        self._last[run.instruction.index] = key

    def _key(self, run: Run, operation: Git) -> tuple[int, str] | None:
        cwd = operation.workdir
        if cwd and "$" in cwd:
            cwd = self.file.resolve(run, Word(value=cwd, start=0, end=0, literal=False)) or cwd
        for stage in self.file.scopes.lineage(run.stage, self.file.scopes.variants_of(run.stage)[0]):
            if (stage.index, cwd or "?") in self.clones:
                return stage.index, cwd or "?"
        if cwd is not None and (key := self._copied(run, cwd)) is not None:
            return key
        last = self._last.get(run.instruction.index)
        if last is not None:
            return last
        # The directory is not known: the one clone that is left is meant.
        own = [key for key in self.clones if key[0] == run.stage.index]
        return own[0] if cwd is None and len(own) == 1 else None

    def _copied(self, run: Run, cwd: str) -> tuple[int, str] | None:
        """The clone of another stage that COPY brought to a directory."""
        variant = self.file.scopes.variants_of(run.stage)[0]
        names = {stage.name: stage.index for stage in self.file.dockerfile.stages if stage.name}
        for stage in self.file.scopes.lineage(run.stage, variant):
            for instruction in stage.instructions:
                source = "".join(instruction.flag("from")).lower()
                index = names.get(source, int(source) if source.isdigit() else -1)
                if instruction.keyword != "COPY" or len(instruction.words) < 2 or index < 0:  # noqa: PLR2004
                    continue
                workdir = self.file.scopes.workdir(stage, instruction.index, variant)
                target = posixpath.normpath(posixpath.join(workdir, instruction.words[-1]))
                for path in instruction.words[:-1]:
                    below = posixpath.relpath(cwd, target)
                    key = (index, posixpath.normpath(posixpath.join(path, below)))
                    if not below.startswith("..") and key in self.clones:
                        return key
        return None

    def checkout(self, run: Run, operation: Git) -> None:
        command, ref = operation.command, operation.ref
        if ref is None or (operation.verb == "checkout" and "--" in command.values()):
            return
        key = self._key(run, operation)
        if self._keeps_default(run, command, ref, key):
            return
        if operation.verb == "fetch":
            # What is fetched counts when FETCH_HEAD is checked out.
            self._fetched[key] = (run, command, ref)
            return
        if key is not None:
            self.clones.pop(key, None)
        if ref.value == "FETCH_HEAD":
            fetched = self._fetched.get(key)
            if fetched is not None:
                self.refs[fetched[2].start] = fetched
        elif ref.value != "HEAD":
            self.refs[ref.start] = (run, command, ref)

    def _keeps_default(self, run: Run, command: Command, ref: Word, key: tuple[int, str] | None) -> bool:
        """The default build does not check this out: a test skips it, or the ref is empty by default."""
        clone = self.clones.get(key) if key is not None else None
        if clone is not None and self.file.by_default(clone[0], clone[1]) is False:
            return False
        if self.file.by_default(run, command) is False:
            return True
        names = [use.name for use in uses(ref.value)]
        variant = self.file.scopes.variants_of(run.stage)[0]
        declared = [self.file.scopes.binding(run.stage, run.instruction.index, name, variant) for name in names]
        # Without any default the build argument must be given.
        required = any(binding is not None and binding.pair.value is None for binding in declared)
        return not required and self.file.resolve(run, ref) == ""


def check(file: LintFile) -> Iterable[Hit]:
    sources = _Sources(file)
    for run, command in file.commands():
        operation = git(command)
        if operation is None:
            install = pip_install(command)
            for need in install.requirements if install else ():
                yield from _git_requirement(file, run, need.word)
        elif operation.verb == "clone" and operation.url is not None:
            sources.clone(run, operation, _path(file, run, operation, operation.url))
        elif operation.verb in {"checkout", "switch", "reset", "fetch"}:
            sources.checkout(run, operation)
    yield from _added(file)
    named = [*sources.refs.values(), *((run, command, ref) for run, command, ref in sources.clones.values() if ref)]
    yield from _once(hit for place in named for hit in _hit(file, *place))
    for run, command, ref in sources.clones.values():
        if ref is None or file.resolve(run, ref) == "":
            # A clone that only a build argument asks for.
            level = Level.NOTE if file.by_default(run, command) is False else None
            yield Hit(start=command.start, end=command.end, message=_DEFAULT, level=level)


def _added(file: LintFile) -> Iterator[Hit]:
    """ADD of a repository."""
    for stage in file.dockerfile.stages:
        for instruction in stage.instructions:
            for word in instruction.words[:-1] if instruction.keyword == "ADD" else ():
                match = re.fullmatch(r"(?:https?://\S+\.git|git@\S+?|git://\S+?)(?:#([^:]*)(?::.*)?)?", word)
                if match is None or "$" in word:
                    continue
                message, level = _judge(match[1], "the ref") or ("", Level.NOTE) if match[1] else (_DEFAULT, None)
                if message:
                    yield Hit(start=instruction.start, end=instruction.end, message=message, level=level)


_DEFAULT: Final = "the default branch is cloned and nothing is checked out: every build takes another commit"


def _once(hits: Iterable[Hit]) -> Iterator[Hit]:
    """One hit for all places that take the same ref."""
    groups: dict[str, list[Hit]] = {}
    for hit in hits:
        groups.setdefault(hit.message, []).append(hit)
    for first, *more in groups.values():
        yield replace(first, more=tuple(hit.start for hit in more))


def _path(file: LintFile, run: Run, operation: Git, url: Word) -> str:
    if operation.directory is not None:
        folder = file.resolve(run, operation.directory) or operation.directory.value
    else:
        folder = clone_folder(file.resolve(run, url) or url.value)
    workdir = operation.workdir or "?"
    if "$" in workdir:
        workdir = file.resolve(run, Word(value=workdir, start=0, end=0, literal=False)) or workdir
    return posixpath.join(workdir, folder)


def _git_requirement(file: LintFile, run: Run, word: Word) -> Iterator[Hit]:
    text = file.resolve(run, word) or word.value
    found = re.search(r"git\+[a-z]+://[^@\s]+(?:@([^#&\s]+))?", text)
    if found is None or "$" in text:
        return
    if found[1] is None:
        message = "pip installs the default branch of a repository: every build takes another commit"
        yield Hit(start=word.start, end=word.end, message=message)
        return
    judged = _judge(found[1], "the ref")
    if judged:
        yield Hit(start=word.start, end=word.end, message=judged[0], level=judged[1])


RULE: Final = Rule(
    id="ROC033",
    failure_class="F33",
    level=Level.WARNING,
    title="a source is taken at a ref that can move",
    why="The same Dockerfile builds another image tomorrow, or none when the branch goes away.",
    fix="Check out a full SHA; keep the tag or branch in a comment.",
    case="aiter#2691, sglang#19359, the UCX branch v1.19.x",
    bad="FROM rocm/pytorch:latest\nRUN git clone -b main https://github.com/ROCm/aiter\n",
    good=(
        "FROM rocm/pytorch:latest\nRUN git clone https://github.com/ROCm/aiter && cd aiter && "
        "git checkout c16d44b93a528b2a4bfd6d8d3409116d465872a9\n"
    ),
    check=check,
)
