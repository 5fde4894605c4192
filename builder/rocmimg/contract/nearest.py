"""What a source has instead of a name that it does not have."""

from __future__ import annotations

import difflib
import re

from rocmimg.contract.model import Parameter
from rocmimg.contract.source import SourcePackage


class Nearest:
    """Looks through the text of a package, once."""

    def __init__(self, source: SourcePackage) -> None:
        self._source = source
        self._texts: dict[str, bytes] = {}

    def _read(self) -> dict[str, bytes]:
        if not self._texts:
            paths = {path: module for module, path in self._source.modules()}
            self._texts = {paths[path]: text for path, text in self._source.store.read(paths)}
        return self._texts

    def find(self, target: str, *, module: bool = False) -> str:
        """The dotted name that most likely took the target's place; "" where there is none.

        The same name elsewhere comes first: things move more often than they are renamed. ``module`` says that the
        target was a module.
        """
        parent, _, name = target.rpartition(".")
        if not name.isidentifier():
            return ""
        ways = (self._modules, self._defined) if module else (self._defined, self._modules)
        moved = ways[0](name) or ways[1](name)
        if not moved:
            return self._similar(parent, name)
        wanted = target.split(".")

        def distance(found: str) -> tuple[bool, int, int, str]:
            parts = found.split(".")
            shared = next((i for i, (a, b) in enumerate(zip(parts, wanted, strict=False)) if a != b), len(parts))
            return any(part.startswith("_") for part in parts), -shared, len(parts), found

        return min(moved, key=distance)

    def _defined(self, name: str) -> list[str]:
        word = name.encode()
        defined = re.compile(rb"^(?:(?:async )?def|class) %b\b|^%b\s*(?::[^=\n]+)?=[^=]" % (word, word), re.MULTILINE)
        # Most files do not have the word at all, and a plain search says so a hundred times faster.
        return [f"{m}.{name}" for m, text in self._read().items() if word in text and defined.search(text)]

    def _modules(self, name: str) -> list[str]:
        return [module for module in self._read() if module.rpartition(".")[2] == name]

    def _similar(self, parent: str, name: str) -> str:
        facts = self._source.facts(parent) if self._source.is_module(parent) else None
        names = [*(facts.names if facts else ())]
        below = parent + "."
        names += [m[len(below) :].partition(".")[0] for m in self._read() if m.startswith(below)]
        close = difflib.get_close_matches(name, dict.fromkeys(names), n=1, cutoff=0.75)
        return f"{parent}.{close[0]}" if close else ""

    def parameters(self, target: str) -> tuple[Parameter, ...] | None:
        """Parameters of a function or class; None where the target is neither."""
        return parameters_of(self._source, target)


def parameters_of(source: SourcePackage, target: str) -> tuple[Parameter, ...] | None:
    """Parameters of a function of a source as they are written."""
    module = target
    while not source.is_module(module) and "." in module:
        module = module.rpartition(".")[0]
    found = source.resolve(target, module if module != target else "")
    if found.status != "resolved" or len(found.bindings) != 1 or found.bindings[0].kind != "function":
        return None
    return found.bindings[0].parameters
