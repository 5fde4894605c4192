"""Commands that install Python distributions: pip, uv, pipx, conda, and those that install what a project locks."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from rocmimg.lint.shell import Command, Word

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet

_CANDIDATE: Final = re.compile(r"pip|PIP|^uv$|^python|^pypy")
_PIP: Final = re.compile(r"pip[\d.]*$")
_PYTHON: Final = re.compile(r"(python|pypy)([\d.]*|\$\{?\w+\}?)$")
_REQUIREMENT: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[([^\]]*)\])?\s*(.*)", re.DOTALL)
_WHEEL: Final = re.compile(r"([A-Za-z0-9_.]+)-(\d[^-]*)-.+\.whl")
_PIP_VALUES: Final = frozenset(  # options with a value
    """
    -r --requirement -c --constraint --constraints -i --index-url --extra-index-url -f --find-links -t
    --target --prefix --root -C --config-settings --config-setting --no-binary --only-binary
    --progress-bar --timeout --retries --trusted-host --python -p --log --src -e --editable
    --upgrade-strategy --platform --python-version --implementation --abi --proxy --cert --cache-dir
    --global-option --build-option --install-option --report --exclude-newer --index-strategy
    --link-mode --index --default-index --torch-backend -b --build-constraint --build-constraints
    --override --overrides --prerelease --keyring-provider --resolution --no-build-isolation-package
    --reinstall-package --upgrade-package -P --group --extra
    """.split()  # noqa: SIM905
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One thing that pip is told to install by name."""

    name: str
    """Normalised; empty for a path, URL or file."""
    spec: str
    word: Word
    extras: frozenset[str] = frozenset()

    @property
    def wheel(self) -> tuple[str, str]:
        """Name and version of a wheel that is named by its file or address; empty for anything else."""
        file = unquote(posixpath.basename(urlsplit(self.word.value.partition(" @ ")[2] or self.word.value).path))
        match = _WHEEL.fullmatch(file)
        return (normal(match[1]), match[2]) if match else ("", "")

    @property
    def specifiers(self) -> SpecifierSet | None:
        """The versions that it allows, None where the text does not tell."""
        from packaging.specifiers import InvalidSpecifier, SpecifierSet  # its start costs more than a small file

        if "$" in self.spec or "@" in self.spec:
            return None
        try:
            return SpecifierSet(self.spec)
        except InvalidSpecifier:
            return None

    @property
    def bounded(self) -> bool:
        """It cannot move up without end."""
        return any(mark in self.spec for mark in ("==", "<", "~=", "@", "$"))


@dataclass(frozen=True, slots=True, kw_only=True)
class PipInstall:
    """``pip install``, ``python -m pip install``, ``uv pip install``, ``uv add``, ``pipx install``."""

    command: Command
    uv: bool
    isolated: bool
    """Into an environment of its own (pipx, uv tool)."""
    requirements: tuple[Requirement, ...]
    options: tuple[tuple[str, Word | None], ...]
    after_install: int
    """File offset behind the word ``install``."""

    def values(self, *names: str) -> list[Word]:
        """Values of options."""
        return [value for name, value in self.options if name in names and value is not None]

    def has(self, *names: str) -> bool:
        """Whether an option is given."""
        return any(name in names for name, _ in self.options)

    @property
    def editable(self) -> list[Word]:
        """What is installed in editable mode."""
        return self.values("-e", "--editable")

    @property
    def compat(self) -> bool:
        """The editable install writes a path file instead of an import hook."""
        settings = self.values("-C", "--config-settings", "--config-setting")
        return any("editable_mode=compat" in word.value.replace(" ", "") for word in settings)

    @property
    def projects(self) -> list[Word]:
        """Source trees, editable or not."""
        return [*self.editable, *(r.word for r in self.requirements if not r.name and _is_tree(r.word.value))]


def _is_tree(value: str) -> bool:
    if "$" in posixpath.basename(value.partition("[")[0]):
        return False
    return value.startswith((".", "/")) and not value.endswith((".whl", ".txt", ".gz", ".zip")) and "*" not in value


def normal(name: str) -> str:
    """A distribution name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def requirement(word: Word) -> Requirement:
    """A requirement as written on the command line."""
    value = word.value.strip()
    match = _REQUIREMENT.fullmatch(value)
    path = match is None or value.startswith((".", "/", "$", "git+", "http")) or value.endswith((".whl", ".gz", ".zip"))
    if path or match is None or ("/" in value and "@" not in value):
        return Requirement(name="", spec="", word=word)
    extras = frozenset(extra.strip().lower() for extra in (match[2] or "").split(","))
    return Requirement(name=normal(match[1]), spec=match[3].partition(";")[0].strip(), word=word, extras=extras)


def pip_install(command: Command) -> PipInstall | None:
    """The install that a command is, or None."""
    name = command.name
    if not _CANDIDATE.search(name):
        return None
    words = list(command.words)
    if _PYTHON.match(name) and words and words[0].value == "-m":
        if len(words) < 2 or words[1].value not in {"pip", "uv"}:  # noqa: PLR2004
            return None
        name = words[1].value
        words = words[2:]
    verb = "install"
    if name == "uv":
        while words and words[0].value not in {"pip", "add", "tool"}:
            words.pop(0)
        if not words:
            return None
        if words[0].value == "add":
            verb = "add"
        else:
            words.pop(0)
    elif not (_PIP.match(name) or name == "pipx" or re.fullmatch(r"\$\{?\w*PIP\w*\}?", name)):
        return None
    options, operands, after = _parsed(words, verb)
    if not after:
        return None
    return PipInstall(
        command=command,
        uv=name == "uv",
        isolated=name == "pipx" or (name == "uv" and "tool" in command.values()[:1]),
        requirements=tuple(requirement(word) for word in operands),
        options=tuple(options),
        after_install=after,
    )


def _parsed(words: list[Word], verb: str) -> tuple[list[tuple[str, Word | None]], list[Word], int]:
    """Options with their values, operands, and the end of the verb; 0 where the verb is another one."""
    options: list[tuple[str, Word | None]] = []
    operands: list[Word] = []
    after = 0
    rest = list(words)
    while rest:
        word = rest.pop(0)
        value = word.value
        if not value.startswith("-") or value == "-":
            if after:
                operands.append(word)
            elif value == verb:
                after = word.end
            else:
                return [], [], 0
        elif value.startswith("--"):
            name, equals, given = value.partition("=")
            if equals:
                options.append((name, _part(word, given)))
            else:
                options.append((name, rest.pop(0) if name in _PIP_VALUES and rest else None))
        else:
            options.extend(_letters(word, rest))
    return options, operands, after


def _letters(word: Word, rest: list[Word]) -> list[tuple[str, Word | None]]:
    """Short options, joined or not: ``-Ur requirements.txt``, ``-rrequirements.txt``."""
    found: list[tuple[str, Word | None]] = []
    letters = word.value[1:]
    for index, letter in enumerate(letters):
        name = f"-{letter}"
        if name not in _PIP_VALUES:
            found.append((name, None))
            continue
        given = letters[index + 1 :]
        found.append((name, _part(word, given) if given else rest.pop(0) if rest else None))
        break
    return found


def _part(word: Word, value: str) -> Word:
    return Word(value=value, start=word.start, end=word.end, literal=word.literal, single=word.single)


@dataclass(frozen=True, slots=True, kw_only=True)
class CondaInstall:
    """``conda install``, also as mamba or micromamba."""

    packages: tuple[Word, ...]
    channels: tuple[str, ...]


def conda_install(command: Command) -> CondaInstall | None:
    """The conda install that a command is, or None."""
    if command.name not in {"conda", "mamba", "micromamba"}:
        return None
    words = list(command.words)
    if not words or words.pop(0).value not in {"install", "create"}:
        return None
    packages: list[Word] = []
    channels: list[str] = []
    while words:
        word = words.pop(0)
        if not word.value.startswith("-"):
            packages.append(word)
        elif word.value in {"-n", "--name", "-p", "--prefix", "-c", "--channel", "-f", "--file"} and words:
            value = words.pop(0).value
            if word.value in {"-c", "--channel"}:
                channels.append(value)
    return CondaInstall(packages=tuple(packages), channels=tuple(channels))


def locked_install(command: Command) -> bool:
    """``uv sync``, ``poetry install`` and the like: what a project's own files name is installed."""
    verbs = {"uv": "sync", "poetry": "install", "pdm": "install", "pipenv": "install", "pixi": "install"}
    verb = verbs.get(command.name)
    return verb is not None and verb in [word.value for word in command.words if not word.value.startswith("-")][:1]
