"""Records of the contract room: what a file uses, what a module offers, and what came of comparing them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

When = Literal["import", "lazy"]
GuardKind = Literal["none", "swallowed", "reraised", "probed"]
Verdict = Literal["missing-module", "missing-name", "bad-argument", "dead-fallback", "unknown"]
Level = Literal["error", "warning", "info", "unknown"]
Kind = Literal["module", "name", "attribute", "probe", "dynamic"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """The shape of one call: enough to bind it to a signature."""

    positional: int
    keywords: tuple[str, ...]
    open: bool
    """True where ``*args`` or ``**kwargs`` hide a part of the arguments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handler:
    """One ``except`` clause: the names it catches (empty: everything) and whether it raises again."""

    catches: tuple[str, ...]
    reraises: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """One ``try`` statement (or ``contextlib.suppress``) of a file."""

    handlers: tuple[Handler, ...]
    pure: bool
    """True where the body imports nothing but the package: then nothing else can send it to its handlers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A test such as ``hasattr(aiter, "x")`` that stands before a use."""

    target: str
    raises: bool = False
    """True where the other branch raises instead of going on without the feature."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One place where a file needs something of the package."""

    target: str
    kind: Kind
    line: int
    when: When
    module: str = ""
    """For ``from M import N``: M, which must be a module, not only an attribute."""
    via: str = ""
    """The import through which this use's root name came: where that fails, it is the cause and this is not."""
    call: Call | None = None
    tries: tuple[int, ...] = ()
    """Indices of the enclosing ``try`` bodies, innermost first."""
    handler_of: tuple[int, ...] = ()
    """Indices of the ``try`` statements in whose handlers this use stands."""
    probes: tuple[Probe, ...] = ()
    scope: str = ""
    """Qualified name of the enclosing function or class."""
    ambiguous: bool = False
    """True where the name may as well come from another package."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileUses:
    """All uses in one file."""

    uses: tuple[Use, ...] = ()
    tries: tuple[Try, ...] = ()
    error: str = ""
    error_line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter of a function."""

    name: str
    kind: Literal["positional", "either", "keyword", "args", "kwargs"]
    required: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """One way in which a name of a module comes to be."""

    kind: Literal["function", "class", "module", "from", "value", "alias"]
    line: int
    target: str = ""
    """The absolute module (``module``, ``from``) or the dotted local name (``alias``)."""
    name: str = ""
    """For ``from``: the name in that module."""
    parameters: tuple[Parameter, ...] = ()
    """Of a function, or of a class's ``__init__``."""
    has_init: bool = False
    decorators: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    bases: tuple[str, ...] = ()
    conditional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Star:
    """``from MODULE import *``."""

    module: str
    line: int
    conditional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleFacts:
    """What one module offers, read from its text alone."""

    names: dict[str, tuple[Binding, ...]] = field(default_factory=dict)
    stars: tuple[Star, ...] = ()
    exports: tuple[str, ...] | None = None
    """A literal ``__all__``; None where there is none or it cannot be read."""
    hooked: tuple[str, ...] | None = None
    """Names that a module-level ``__getattr__`` answers to; None where there is no such function."""
    hook_open: bool = False
    """True where that function's names cannot be read."""
    open_prefixes: tuple[str, ...] = ()
    """Prefixes of names put into ``globals()`` by code; "" stands for any name."""
    maps: dict[str, dict[str, str]] = field(default_factory=dict)
    """Module-level dictionaries of literal strings: compatibility tables live in those."""
    error: str = ""
    error_line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing the framework needs and the source does not have, or that cannot be told."""

    target: str
    file: str
    line: int
    when: When
    guard: GuardKind
    verdict: Verdict
    level: Level
    message: str
    window: str = ""
    nearest: str = ""
    lines: tuple[int, ...] = ()
    """Further lines of the file with the same cause."""
    accepted: str = ""
    """The reason from the baseline, where it accepts this finding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """The outcome for one framework and one source."""

    framework: str
    source: str
    package: str
    files: int
    """Python files read."""
    uses: int
    targets: int
    resolved: int
    conditional: int
    """Of the resolved: bound only under a condition that the text alone does not settle."""
    unknown: int
    ambiguous: int
    dead: int
    """Uses in handlers that cannot run at this pin."""
    dependent: int
    """Uses that hang on an import which is a finding of its own."""
    calls: int
    """Calls whose arguments were compared with a signature."""
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()

    def at(self, level: Level) -> tuple[Finding, ...]:
        """Findings of one level that no baseline accepts."""
        return tuple(f for f in self.findings if f.level == level and not f.accepted)
