"""F01: the resolver replaces ROCm torch by the CUDA build."""

from __future__ import annotations

import posixpath
import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import takewhile
from typing import Final

from rocmimg.lint.context import LintFile, Run
from rocmimg.lint.installs import (
    PipInstall,
    Requirement,
    conda_install,
    locked_install,
    normal,
    pip_install,
    requirement,
)
from rocmimg.lint.model import Evidence, Hit, Level, Rule
from rocmimg.lint.projects import NEEDS_TRITON, TORCH_EXACT, TORCH_RANGE
from rocmimg.lint.shell import Command, Word
from rocmimg.lint.syntax import Stage

_ROCM: Final = re.compile(r"rocm|repo\.radeon|amd\.com|/gfx", re.IGNORECASE)
_CUDA: Final = re.compile(r"[+/]cu\d{2,3}")
_NVIDIA: Final = re.compile(r"nvidia|cuda")
_INDEXES: Final = ("-i", "--index-url", "--default-index", "--index", "-f", "--find-links", "--torch-backend")
_INDEX_VARIABLES: Final = ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "PIP_FIND_LINKS")
_HOLDS: Final = ("--no-deps", "-c", "--constraint", "--constraints", "--no-index", "--require-hashes", "--override")
_OTHER_BACKEND: Final = re.compile(r"cuda|nvidia|cpu|intel|xpu|mps|vulkan", re.IGNORECASE)


_EXISTING: Final = re.compile(r"us(?:e|ing)_existing_torch\.py$")


@dataclass(frozen=True, slots=True)
class _Install:
    run: Run
    pip: PipInstall

    @property
    def command(self) -> Command:
        return self.pip.command


def _constrained(file: LintFile, install: _Install) -> bool:
    run, pip = install.run, install.pip
    if pip.has(*_HOLDS):
        return True
    names = ("UV_CONSTRAINT", "UV_OVERRIDE") if pip.uv else ("PIP_CONSTRAINT", "PIP_NO_DEPS")
    own = {a.name for a in (*pip.command.assignments, *run.script.assignments)}
    for name in names:
        variants = file.live_variants(run, pip.command)
        bound = [file.scopes.binding(run.stage, run.instruction.index, name, variant) for variant in variants]
        if name in own or (bound and all(bound)):
            return True
    return False


def _indexes(file: LintFile, install: _Install) -> list[str]:
    """The indexes that an install asks instead of the default one; open variables as written."""
    run, pip = install.run, install.pip
    texts = [file.resolve(run, word) or word.value for word in pip.values(*_INDEXES)]
    lookup = file.lookup(run)
    own = {a.name: a.value.value for a in pip.command.assignments}
    texts.extend(own.get(name) or lookup(name) or "" for name in _INDEX_VARIABLES)
    return [text for text in texts if text]


def _extra(file: LintFile, install: _Install) -> list[str]:
    words = install.pip.values("--extra-index-url")
    texts = [file.resolve(install.run, word) or word.value for word in words]
    return [*texts, file.lookup(install.run)("PIP_EXTRA_INDEX_URL") or ""]


def _other_backend(file: LintFile, run: Run, command: Command) -> bool:
    """The command stands in a branch for another GPU, or in one that does not run by default."""
    words = " ".join(word.value for guard in command.guards for word in _guard_words(guard))
    return _OTHER_BACKEND.search(words) is not None or file.by_default(run, command) is False


def _guard_words(guard: object) -> Iterator[Word]:
    yield from getattr(guard, "words", ())
    for part in getattr(guard, "parts", ()):
        yield from _guard_words(part)


class _Torch:
    """Which stages have torch, install after install."""

    def __init__(self, file: LintFile) -> None:
        self.file = file
        self.installed: dict[int, bool | None] = {}

    def state(self, stage: Stage) -> bool | None:
        """Whether the stage has torch so far; None where the text does not tell."""
        for current in self.file.scopes.lineage(stage, self.file.scopes.variants_of(stage)[0]):
            if current.index in self.installed:
                return self.installed[current.index]
            brought = (i for i in current.instructions if i.keyword == "COPY" and i.flag("from"))
            if any(re.search(r"site-packages|venv|whl|wheels|/opt|/usr/local", " ".join(i.words)) for i in brought):
                return None
        states = {image.torch for image in self.file.images(stage)}
        return states.pop() if len(states) == 1 else None

    def add(self, stage: Stage, *, known: bool) -> None:
        """Torch is installed, or with `known=False` something unknown that may be it."""
        if known or self.installed.get(stage.index) is not True:
            self.installed[stage.index] = True if known else None


def check(file: LintFile) -> Iterable[Hit]:
    if not file.is_rocm:
        yield from _elsewhere(file)
        return
    yield from _strategy(file)
    torch = _Torch(file)
    open_places: list[tuple[Command, int]] = []
    for run, command in file.commands():
        pip = pip_install(command)
        if pip is None and command.name not in _OTHER_INSTALLERS:
            continue
        if _other_backend(file, run, command):
            continue
        rocm = file.for_rocm(run.stage) and not any(_NVIDIA.search(image.name) for image in file.images(run.stage))
        if pip is None:
            if rocm and (hit := _foreign(file, run, command)):
                yield hit
            if locked_install(command) or conda_install(command):
                torch.add(run.stage, known=False)
            continue
        install = _Install(run, pip)
        if rocm:
            hits, resolves = _judge(file, install, torch)
            yield from hits
            if resolves:
                open_places.append((command, pip.after_install))
        _note(torch, file, install)
    if open_places:
        (first, end), *more = open_places
        yield Hit(
            start=first.start,
            end=end,
            message="nothing holds ROCm torch while these dependencies are resolved, if they require it",
            evidence=Evidence.ASSUMED,
            more=tuple(other.start for other, _ in more),
        )


def _elsewhere(file: LintFile) -> Iterator[Hit]:
    """A file that does not speak of ROCm: what it installs is right for another GPU, or for none."""
    for run, command in file.commands():
        pip = pip_install(command)
        images = file.images(run.stage)
        if pip is None or any(re.search("nvidia|cuda|intel|xpu", image.name) for image in images):
            continue
        if pip.has(*_HOLDS, *_INDEXES, "--extra-index-url"):
            continue
        for need in pip.requirements:
            if need.name == "torch" and not need.spec:
                yield _at(need, "torch without a version or an index: the CUDA build comes", evidence=Evidence.ASSUMED)


def _strategy(file: LintFile) -> Iterator[Hit]:
    if not re.search(
        r"\b(?:UV|PIP)_(?:EXTRA_)?INDEX(?:_URL)?\b|--(?:extra-|default-)?index(?:-url)?\b", file.source.data.decode()
    ):
        return  # the one index that there is has nothing to choose from
    for stage in file.dockerfile.stages:
        for instruction in stage.instructions:
            for pair in instruction.pairs:
                if pair.name == "UV_INDEX_STRATEGY" and "unsafe-best-match" in (pair.value or ""):
                    yield Hit(
                        start=pair.start,
                        end=pair.end,
                        message="unsafe-best-match takes the highest version of any index: a newer CUDA torch wins",
                        level=Level.WARNING,
                    )


def _note(torch: _Torch, file: LintFile, install: _Install) -> None:
    """Remember what an install brings."""
    names = {need.name or need.wheel[0] for need in install.pip.requirements}
    if install.pip.isolated:
        return
    if "torch" in names or (names & (TORCH_EXACT | TORCH_RANGE) and not install.pip.has("--no-deps")):
        torch.add(install.run.stage, known=True)
    elif any(not need.name and re.search(r"whl|\*|\$", need.word.value) for need in install.pip.requirements):
        torch.add(install.run.stage, known=False)
    elif any(text and "torch" in text for text, _ in _files(file, install)):
        torch.add(install.run.stage, known=True)


def _without_torch(file: LintFile, install: _Install) -> bool:
    """A script such as vLLM's use_existing_torch.py took torch out of the files of requirements before."""
    before = takewhile(lambda pair: pair[1] is not install.command, file.commands())
    lineage = file.scopes.lineage(install.run.stage, file.scopes.variants_of(install.run.stage)[0])
    return any(run.stage in lineage and _EXISTING.search(" ".join(command.values()[:1])) for run, command in before)


def _rewritten(file: LintFile, install: _Install, path: str) -> bool:
    """Something wrote to the file before: the build context does not show what it says now."""
    before = takewhile(lambda pair: pair[1] is not install.command, file.commands())
    name = posixpath.basename(path)
    return any(
        command.name == "sed"
        and any(value.startswith(("-i", "--in-place")) for value in command.values())
        and any(posixpath.basename(value) == name for value in command.values())
        for _, command in before
    )


def _files(file: LintFile, install: _Install) -> Iterator[tuple[str | None, Word]]:
    """Requirements files with their text, as far as the build context has them."""
    stripped = _without_torch(file, install)
    for word in install.pip.values("-r", "--requirement"):
        path = file.resolve(install.run, word) or word.value
        open_text = stripped or _rewritten(file, install, path)
        yield None if open_text else file.context_text(install.run, path, install.command.cwd), word


def _judge(file: LintFile, install: _Install, torch: _Torch) -> tuple[list[Hit], bool]:
    """What is wrong with an install, and whether it resolves dependencies that cannot be seen."""
    pip = install.pip
    for need in pip.requirements:
        name, version = need.wheel
        if name == "torch" and (_CUDA.search(need.word.value) or _CUDA.search(f"+{version}")):
            message = f"torch {version} is a CUDA build"
            return [Hit(start=need.word.start, end=need.word.end, message=message)], False
    if _constrained(file, install):
        return [], False
    indexes = _indexes(file, install)
    named = _extra(file, install)
    if any(re.search(r"/cpu\b", text) for text in named):
        return [], False  # the build for the CPU is meant
    extra = [text for text in named if _ROCM.search(text)]
    if indexes:
        if any(_ROCM.search(text) or "$" in text or "cpu" in text for text in indexes):
            return [], False
        cuda = [need for need in pip.requirements if need.name == "torch" and any(map(_CUDA.search, indexes))]
        return [_at(need, "torch comes from an index of CUDA builds") for need in cuda], False
    state = None if pip.isolated else torch.state(install.run.stage)
    hits: list[Hit] = []
    for need in pip.requirements:
        hits.extend(_named(need, install, state, extra=bool(extra)))
    unseen = False
    for text, word in _files(file, install):
        if text is None:
            unseen = True
        elif not _ROCM.search(text):
            needs = [
                requirement(Word(value=line, start=word.start, end=word.end, literal=True)) for line in _lines(text)
            ]
            found = [hit for need in needs for hit in _named(need, install, state, extra=bool(extra), listed=True)]
            hits.extend(found[:1])
    for tree in pip.projects:
        hits.extend(_project(file, install, tree, state) or ())
        unseen |= _project(file, install, tree, state) is None
    places = [f"{install.command.cwd or ''}/{file.resolve(install.run, tree) or tree.value}" for tree in pip.projects]
    own = all(re.search(r"/opt/rocm|share/amd_smi", place) for place in places)
    return hits, unseen and not extra and not (pip.projects and own and not pip.has("-r", "--requirement"))


def _lines(text: str) -> list[str]:
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("-")]


def _project(file: LintFile, install: _Install, tree: Word, state: bool | None) -> list[Hit] | None:
    """What the dependencies of a source tree in the build context say; None where they cannot be seen."""
    path = (file.resolve(install.run, tree) or tree.value).partition("[")[0]
    text = file.context_text(install.run, f"{path}/pyproject.toml", install.command.cwd)
    if text is None or _without_torch(file, install):
        return None
    if _ROCM.search(text):
        return []  # it names its index itself
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None
    project = content.get("project") or {}
    if "dependencies" in (project.get("dynamic") or ()) or not project:
        return None
    needs = [
        requirement(Word(value=str(line), start=tree.start, end=tree.end, literal=True))
        for line in project.get("dependencies") or ()
    ]
    return [hit for need in needs for hit in _named(need, install, state, extra=False, listed=True)][:1]


def _at(need: Requirement, message: str, level: Level | None = None, evidence: Evidence = Evidence.TEXT) -> Hit:
    return Hit(start=need.word.start, end=need.word.end, message=message, level=level, evidence=evidence)


def _named(
    need: Requirement, install: _Install, state: bool | None, *, extra: bool, listed: bool = False
) -> Iterator[Hit]:
    """What is wrong with one requirement of the default index; `listed` in a file of the build context."""
    pip = install.pip
    spec = need.spec
    if "rocm" in spec.lower() or "$" in spec or "@" in spec:
        return
    evidence = Evidence.CONTEXT if listed else Evidence.TEXT
    where = f"{need.name} (required by this file of the build context)" if listed else need.name
    upgrade = pip.has("-U", "--upgrade", "--force-reinstall", "--reinstall", "-I", "--ignore-installed")
    if need.name == "torch":
        if "+cu" in spec:
            yield _at(need, f"torch{spec} is a CUDA build", evidence=evidence)
        elif extra:
            if not pip.uv and "==" not in spec:
                message = f"{where} has no version: an extra index only adds candidates, and the higher version wins"
                yield _at(need, message, Level.WARNING, evidence)
        elif "+" not in spec:
            yield from _default(need, where, state, upgrade=upgrade, evidence=evidence)
    elif (need.name in TORCH_EXACT | TORCH_RANGE or need.extras & _TORCH_EXTRAS) and not extra:
        known = Evidence.PROJECT if not listed else evidence
        if state is False or pip.isolated:
            place = "its own environment" if pip.isolated else "this stage"
            message = f"{where} requires torch, and {place} has none: the default index's CUDA build comes with it"
            yield _at(need, message, evidence=known)
        elif need.name in TORCH_EXACT and state and (spec or upgrade):
            message = f"{where} requires one exact torch, and nothing holds the ROCm build"
            yield _at(need, message, Level.WARNING, known)
        elif need.name in NEEDS_TRITON and state:
            message = f"{where} requires triton: where ROCm's has another name, the index's is installed over it"
            yield _at(need, message, evidence=Evidence.ASSUMED)
        elif state is None:
            yield _at(need, f"{where} requires torch, and nothing holds a ROCm build", evidence=Evidence.ASSUMED)


def _default(need: Requirement, where: str, state: bool | None, *, upgrade: bool, evidence: Evidence) -> Iterator[Hit]:
    """torch from the default index, which has the CUDA build."""
    if state is False:
        yield _at(need, f"{where} is chosen by version alone: the default index has the CUDA build", evidence=evidence)
    elif upgrade or any(mark in need.spec for mark in ("==", "<", "~=", "!")):
        message = f"{where} may be replaced: where the ROCm build does not satisfy this, the CUDA build comes"
        yield _at(need, message, Level.WARNING, evidence)
    else:
        message = f"{where} does nothing where a torch satisfies it; where none does, the CUDA build comes"
        yield _at(need, message, evidence=Evidence.ASSUMED)


def _foreign(file: LintFile, run: Run, command: Command) -> Hit | None:
    """Installs by other tools than pip."""
    conda = conda_install(command)
    if conda is not None:
        named = next((word for word in conda.packages if normal(re.split(r"[=<>]", word.value)[0]) in _CONDA), None)
        if named is None or any("rocm" in text.lower() for text in (*conda.channels, named.value)):
            return None
        message = f"conda installs {named.value}: its channels have no build for ROCm"
        return Hit(start=named.start, end=named.end, message=message, level=Level.WARNING)
    if not locked_install(command):
        return None
    texts = [file.context_text(run, name, command.cwd) for name in ("pyproject.toml", "uv.lock", "poetry.lock")]
    known = [text for text in texts if text is not None]
    if known and (any(map(_ROCM.search, known)) or not any("torch" in text for text in known)):
        return None
    message = f"{command.name} resolves torch from the project's own files, not from the base image"
    if known:
        return Hit(
            start=command.start,
            end=command.end,
            message=f"{message}: they name no index of ROCm builds",
            level=Level.WARNING,
            evidence=Evidence.CONTEXT,
        )
    return Hit(start=command.start, end=command.end, message=message, evidence=Evidence.ASSUMED)


_OTHER_INSTALLERS: Final = frozenset({"conda", "mamba", "micromamba", "uv", "poetry", "pdm", "pipenv", "pixi"})
_TORCH_EXTRAS: Final = frozenset({"torch", "pytorch"})  # transformers[torch]
_CONDA: Final = frozenset({"pytorch", "torch", "torchvision", "torchaudio", "pytorch-cuda"})

RULE: Final = Rule(
    id="ROC001",
    failure_class="F01",
    level=Level.ERROR,
    title="the resolver may replace ROCm torch by the CUDA build",
    why="Index servers know no GPU vendor: the highest version wins, and the default index has only CUDA builds.",
    fix="Freeze torch, torchvision, torchaudio into a file and set PIP_CONSTRAINT to it; or install with --no-deps.",
    case="ComfyUI-Docker#187, unsloth#6230, sglang#30984",
    bad="FROM rocm/dev-ubuntu-24.04:7.2\nRUN pip install torch==2.9.1\n",
    good=(
        "FROM rocm/dev-ubuntu-24.04:7.2\n"
        "RUN pip install --index-url https://download.pytorch.org/whl/rocm7.2 torch==2.9.1\n"
    ),
    check=check,
)
