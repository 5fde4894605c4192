"""Commands read as what they mean: pip, git, fetches, builds."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import Final

from rocmimg.lint.shell import Command, Word
from rocmimg.lint.syntax import SHELLS

_PIP: Final = re.compile(r"pip[\d.]*$")
_PYTHON: Final = re.compile(r"(python|pypy)([\d.]*|\$\{?\w+\}?)$")
_REQUIREMENT: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?\s*(.*)", re.DOTALL)
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
FULL_SHA: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One thing that pip is told to install by name."""

    name: str
    """Normalised; empty for a path, URL or file."""
    spec: str
    word: Word

    @property
    def bounded(self) -> bool:
        """It cannot move up without end."""
        return any(mark in self.spec for mark in ("==", "<", "~=", "@", "$"))


@dataclass(frozen=True, slots=True, kw_only=True)
class PipInstall:
    """``pip install``, ``python -m pip install`` or ``uv pip install``."""

    command: Command
    uv: bool
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
    return Requirement(name=normal(match[1]), spec=match[2].strip(), word=word)


def pip_install(command: Command) -> PipInstall | None:
    """The install that a command is, or None."""
    words = list(command.words)
    uv = False
    if _PYTHON.match(command.name) and [w.value for w in words[:2]][:1] == ["-m"]:
        if len(words) < 2 or words[1].value not in {"pip", "uv"}:  # noqa: PLR2004
            return None
        name = words[1].value
        words = words[2:]
    else:
        name = command.name
    if name == "uv":
        uv = True
        while words and words[0].value != "pip":
            words.pop(0)
        if not words:
            return None
        words.pop(0)
    elif not (_PIP.match(name) or re.fullmatch(r"\$\{?\w*PIP\w*\}?", name)):
        return None
    return _install(command, words, uv)


def _install(command: Command, words: list[Word], uv: bool) -> PipInstall | None:
    options: list[tuple[str, Word | None]] = []
    requirements: list[Requirement] = []
    after = 0
    index = 0
    while index < len(words):
        word = words[index]
        value = word.value
        index += 1
        if not after and not value.startswith("-"):
            if value != "install":
                return None
            after = word.end
            continue
        if not value.startswith("-") or value == "-":
            requirements.append(requirement(word))
            continue
        name, equals, rest = value.partition("=")
        if equals and name.startswith("--"):
            options.append((name, Word(value=rest, start=word.start, end=word.end, literal=word.literal)))
        elif value in _PIP_VALUES:
            options.append((value, words[index] if index < len(words) else None))
            index += 1
        elif len(value) > 2 and value[1] != "-" and value[:2] in _PIP_VALUES:  # noqa: PLR2004
            options.append((value[:2], Word(value=value[2:], start=word.start, end=word.end, literal=word.literal)))
        else:
            options.append((value, None))
    if not after:
        return None
    return PipInstall(
        command=command, uv=uv, requirements=tuple(requirements), options=tuple(options), after_install=after
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Git:
    """A git command: its verb, its operands, and the ref it names."""

    command: Command
    verb: str
    operands: tuple[Word, ...]
    ref: Word | None
    """``-b``/``--branch``/``--revision`` of clone, the commit of checkout, switch, reset --hard or fetch."""

    @property
    def url(self) -> Word | None:
        """What is cloned."""
        return self.operands[0] if self.verb == "clone" and self.operands else None

    @property
    def directory(self) -> Word | None:
        """The folder that a clone names."""
        return self.operands[1] if self.verb == "clone" and len(self.operands) > 1 else None


_GIT_VALUES: Final = frozenset(  # options with a value
    """
    -b --branch --revision --depth -C -c -j --jobs --origin -o --reference --shallow-since --filter
    --config --template --separate-git-dir --server-option --upload-pack -u
    """.split()  # noqa: SIM905
)


def git(command: Command) -> Git | None:
    """The git command that a command is, or None."""
    if command.name != "git":
        return None
    verb = ""
    operands: list[Word] = []
    ref: Word | None = None
    words = list(command.words)
    index = 0
    while index < len(words):
        word = words[index]
        value = word.value
        index += 1
        name, equals, rest = value.partition("=")
        if value in _GIT_VALUES and not (verb == "checkout" and value in {"-c", "-b"}):
            following = words[index] if index < len(words) else None
            index += 1
            if value in {"-b", "--branch", "--revision"}:
                ref = following
        elif equals and name in {"--branch", "--revision"}:
            ref = Word(value=rest, start=word.start, end=word.end, literal=word.literal)
        elif value == "--":
            if verb == "checkout":
                operands.extend(words[index:])
                break
        elif value.startswith("-"):
            continue
        elif not verb:
            verb = value
        else:
            operands.append(word)
    if ref is None and verb in {"checkout", "switch", "reset"} and operands:
        ref = operands[0]
    if ref is None and verb == "fetch" and len(operands) > 1:
        ref = operands[1]
    return Git(command=command, verb=verb, operands=tuple(operands), ref=ref)


def runs_input(command: Command) -> bool:
    """A shell or interpreter that takes its program from its input."""
    values = command.values()
    operands = [value for value in values if not value.startswith("-")]
    if command.name in SHELLS:
        return not operands or "-s" in values
    return (_PYTHON.match(command.name) is not None or command.name == "perl") and (not values or values[0] == "-")


def clone_folder(url: str) -> str:
    """The folder that git makes for a repository."""
    return posixpath.basename(url.rstrip("/")).removesuffix(".git")
