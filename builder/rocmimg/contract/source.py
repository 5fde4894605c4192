"""The package that a framework needs: finds its names in the text of its modules, module by module, on demand."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from rocmimg.contract.cache import ParseCache
from rocmimg.contract.model import Binding, ModuleFacts
from rocmimg.contract.modules import Modules
from rocmimg.contract.rules import Rules, Switches
from rocmimg.contract.stores import Store

Status = Literal["resolved", "missing-module", "missing-name", "unknown"]

_ENUM_MEMBER: Final = re.compile(rb'\.value\(\s*"(\w+)"\s*,\s*(?:\w+::)*(\w+)::')
_ENUM_BASES: Final = ("Enum", "IntEnum", "StrEnum", "Flag", "IntFlag")
_LOOPS: Final = 40
_EVERY_MODULE: Final = frozenset(
    f"__{name}__" for name in ("file", "name", "path", "doc", "dict", "spec", "loader", "package", "class", "cached")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """Where looking for a target ended."""

    status: Status
    at: str = ""
    """The first part of the target that is not there, as a dotted name; for a resolved one, where it is defined."""
    why: str = ""
    bindings: tuple[Binding, ...] = ()
    conditional: bool = False


class SourcePackage(Modules):
    """One package at one commit.

    Raises SourceError where the package is not in the store.
    """

    def __init__(self, store: Store, rules: Rules, cache: ParseCache[ModuleFacts], switches: Switches = ()) -> None:
        super().__init__(store, rules, cache, switches)
        self._enums: dict[str, frozenset[str]] | None = None
        self._resolved: dict[tuple[str, str], Resolution] = {}

    def resolve(self, target: str, module: str = "") -> Resolution:
        """Find a dotted target. ``module`` is the part that must be a module (``from M import N``, ``import M``)."""
        key = (target, module)
        if key not in self._resolved:
            self._resolved[key] = self._resolve(target, module)
        return self._resolved[key]

    def _resolve(self, target: str, module: str) -> Resolution:
        registry = f"torch.ops.{self.package}."
        if target.startswith(registry):
            return self._registered(target, target.removeprefix(registry))
        here = self.package
        if module:
            broken = self._missing_module(module)
            if broken is not None:
                return broken
            here = self.moved(module) or module
        parts = target[len(module or self.package) :].strip(".").split(".")
        return self._attributes(here, [part for part in parts if part], module or self.package)

    def _missing_module(self, module: str) -> Resolution | None:
        so_far = self.package
        for part in module.split(".")[self.package.count(".") + 1 :]:
            so_far = f"{so_far}.{part}"
            if self.is_made(so_far):
                return Resolution(status="resolved", at=so_far, conditional=True)
            if not self.is_module(self.moved(so_far) or so_far):
                return Resolution(status="missing-module", at=so_far)
        return None

    def _attributes(self, module: str, parts: list[str], shown: str) -> Resolution:
        """Walk attributes from a module on; ``shown`` is the name under which the user wrote it."""
        conditional = False
        for at, part in enumerate(parts):
            shown = f"{shown}.{part}"
            rest = parts[at + 1 :]
            if part in _EVERY_MODULE:
                return Resolution(status="resolved", at=shown)
            found = self.lookup(module, part)
            if found.status == "resolved" and found.bindings:
                conditional |= found.conditional
                inner = self._module_behind(found.bindings)
                if inner is None:
                    return self._members(found, rest, shown, conditional)
                module = inner
            elif found.status == "resolved" and not self.is_module(f"{module}.{part}"):
                return found
            elif self.is_module(self.moved(f"{module}.{part}") or f"{module}.{part}"):
                module = self.moved(f"{module}.{part}") or f"{module}.{part}"
            elif self.is_made(f"{module}.{part}"):
                return Resolution(status="resolved", at=shown, conditional=True)
            else:
                return Resolution(status=found.status, at=shown, why=found.why)
        return Resolution(status="resolved", at=module, conditional=conditional)

    def _module_behind(self, bindings: tuple[Binding, ...]) -> str | None:
        for binding in bindings:
            if binding.kind == "module" and self.inside(binding.target):
                return binding.target
            if binding.kind == "from" and self.inside(binding.target):
                module = f"{binding.target}.{binding.name}"
                if self.is_module(module):
                    return module
        return None

    def _members(self, found: Resolution, rest: list[str], shown: str, conditional: bool) -> Resolution:
        """Members behind a class or a native enum; attributes of other values are theirs, not the package's."""
        done = Resolution(
            status="resolved", at=found.at, bindings=() if rest else found.bindings, conditional=conditional
        )
        if not rest or rest[0].startswith("__"):
            return done
        binding, member = found.bindings[-1], f"{shown}.{rest[0]}"
        if binding.target.startswith("type:"):
            members = self.enums().get(binding.target.removeprefix("type:"))
            if members is None:
                return Resolution(status="unknown", at=member, why="the C++ enum's members are not found")
            if rest[0] not in members and rest[0] not in ("name", "value"):
                return Resolution(status="missing-name", at=member, why="not a member of the C++ enum")
        elif len(found.bindings) == 1 and self._is_closed(binding) and rest[0] not in binding.members:
            return Resolution(status="missing-name", at=member, why="not a member of the class")
        return done

    @staticmethod
    def _is_closed(binding: Binding) -> bool:
        """True where a class can have no members but those in its body."""
        plain = all(b.rpartition(".")[2] in (*_ENUM_BASES, "object") for b in binding.bases)
        if binding.kind != "class":
            return False
        return plain and not binding.decorators and not {"*", "__getattr__"} & set(binding.members)

    def lookup(self, module: str, name: str, depth: int = 0) -> Resolution:
        """Find one name in one module, through its star imports and its ``__getattr__``.

        A resolution with bindings ends at the definition; one without them at something that has no text here.
        """
        facts = self.facts(module)
        if depth > _LOOPS or facts is None:
            return Resolution(status="missing-name", at=f"{module}.{name}")
        if facts.error:
            return Resolution(status="unknown", why=f"{module} does not parse: {facts.error}")
        own = facts.names.get(name, ())
        if own:
            return self._followed(module, name, own, depth)
        hidden = ""
        for star in reversed(facts.stars):
            if not self.inside(star.module):
                if star.module not in self.rules.mirrors and not star.conditional:
                    hidden = f"{module} imports everything of {star.module}"
                continue
            found = self._starred(star.module, name, depth)
            if found.status == "resolved":
                if star.conditional and not found.conditional:
                    return Resolution(status="resolved", at=found.at, bindings=found.bindings, conditional=True)
                return found
            hidden = hidden or (found.why if found.status == "unknown" else "")
        if facts.hooked is not None and (name in facts.hooked or facts.hook_open):
            if name in facts.hooked:
                return Resolution(status="resolved", at=f"{module}.{name}", conditional=True)
            hidden = f"{module} answers through __getattr__"
        if any(name.startswith(prefix) for prefix in facts.open_prefixes):
            hidden = hidden or f"{module} puts names into globals() by code"
        return Resolution(status="unknown" if hidden else "missing-name", at=f"{module}.{name}", why=hidden)

    def _starred(self, module: str, name: str, depth: int) -> Resolution:
        facts = self.facts(module)
        if facts is None:
            return Resolution(status="missing-name")
        if facts.exports is not None:
            if name not in facts.exports:
                return Resolution(status="missing-name")
        elif name.startswith("_"):
            return Resolution(status="missing-name")
        return self.lookup(module, name, depth + 1)

    def _followed(self, module: str, name: str, bindings: tuple[Binding, ...], depth: int) -> Resolution:
        """Follow imports and aliases to the definitions behind them."""
        ends: list[Binding] = []
        at = f"{module}.{name}"
        broken: Resolution | None = None
        for binding in bindings:
            inner = self._behind(module, binding, depth)
            if inner is None:
                ends.append(binding)
            elif inner.status == "resolved":
                at = inner.at or at
                ends += inner.bindings or (binding,)
            else:
                broken = inner
        if not ends and broken is not None:
            why = f"{module} imports it from where it is not"
            return Resolution(status="unknown", at=at, why=why)
        conditional = all(b.conditional for b in bindings)
        return Resolution(status="resolved", at=at, bindings=tuple(ends), conditional=conditional)

    def _behind(self, module: str, binding: Binding, depth: int) -> Resolution | None:
        """What an import or an alias leads to; None where it is an end of its own."""
        if binding.kind == "alias" and "." not in binding.target:
            inner = self.lookup(module, binding.target, depth + 1)
            return inner if inner.status == "resolved" and inner.bindings else None
        if binding.kind != "from" or not self.inside(binding.target):
            return None
        if self.is_module(f"{binding.target}.{binding.name}"):
            # A name of the package goes before a submodule; without one, the submodule is what is bound.
            inner = self.lookup(binding.target, binding.name, depth + 1)
            return inner if inner.status == "resolved" and module != binding.target else None
        away = self._missing_module(binding.target)
        if away is not None:
            return None if away.status == "resolved" else away
        return self.lookup(self.moved(binding.target) or binding.target, binding.name, depth + 1)

    def _registered(self, target: str, operator: str) -> Resolution:
        found = self.lookup(self.package, operator)
        if found.status == "resolved":
            return Resolution(status="resolved", at=found.at, conditional=True)
        return Resolution(status="unknown", at=target, why="the operator registry is filled at run time")

    def enums(self) -> dict[str, frozenset[str]]:
        """Members of the package's C++ enums, by the name of the enum."""
        if self._enums is None:
            found: dict[str, set[str]] = {}
            for path in self.rules.enum_sources:
                parent, _, name = path.rpartition("/")
                if name in (self.store.folder(parent) or {}):
                    for _, text in self.store.read((path,)):
                        for member, enum in _ENUM_MEMBER.findall(text):
                            found.setdefault(enum.decode(), set()).add(member.decode())
            self._enums = {enum: frozenset(members) for enum, members in found.items()}
        return self._enums
