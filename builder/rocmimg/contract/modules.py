"""The modules of a package at one commit: their files, their facts, and where an import hook sends old names."""

from __future__ import annotations

from collections.abc import Iterator

from rocmimg.contract.cache import ParseCache
from rocmimg.contract.facts import read_module
from rocmimg.contract.model import ModuleFacts
from rocmimg.contract.rules import Rules, Switches
from rocmimg.contract.stores import GitStore, Store, walk
from rocmimg.errors import SourceError


class Modules:
    """Modules by dotted name, read on demand.

    Raises SourceError where the package is not in the store.
    """

    def __init__(self, store: Store, rules: Rules, cache: ParseCache[ModuleFacts], switches: Switches = ()) -> None:
        self.store = store
        self.rules = rules
        self.package = rules.package
        self._cache = cache
        self._switches = dict(switches)
        self._read_with = "".join(f"{name}={value} " for name, value in switches)
        self._facts: dict[str, ModuleFacts | None] = {}
        name = self.package.replace(".", "/")
        for root in rules.roots:
            self.root = f"{root}/{name}" if root else name
            if store.folder(self.root) is not None:
                break
        else:
            raise SourceError(
                f"{store.name} has no package {self.package!r}",
                why=f"looked in {', '.join(root or 'its top folder' for root in rules.roots)}",
                next_step="name the package that the source holds: --source PACKAGE=SOURCE",
            )
        if isinstance(store, GitStore):
            store.prefetch(self.root, (".py",))

    def _path(self, module: str) -> str:
        rest = module[len(self.package) :].lstrip(".")
        return f"{self.root}/{rest.replace('.', '/')}" if rest else self.root

    def _file(self, module: str) -> tuple[str, str, bool] | None:
        """(path, content id, is a package) of a module's text."""
        path = self._path(module)
        inside = self.store.folder(path) or {}
        if "__init__.py" in inside:
            return f"{path}/__init__.py", inside["__init__.py"][1], True
        parent, _, name = path.rpartition("/")
        entry = (self.store.folder(parent) or {}).get(f"{name}.py")
        return (f"{path}.py", entry[1], False) if entry is not None and not entry[0] else None

    def is_module(self, module: str) -> bool:
        """True for a module, a package, and a folder of modules without ``__init__.py``."""
        if self._file(module) is not None:
            return True
        return next(walk(self.store, self._path(module), (".py",)), None) is not None

    def is_made(self, module: str) -> bool:
        """True for a module that the build writes or compiles: there is no text of it."""
        rest = module[len(self.package) + 1 :]
        if any(rest == m or rest.startswith(m + ".") for m in self.rules.built if rest) or self._is_compiled(module):
            return True
        return rest in self.rules.generated and self._file(module) is None

    def _is_compiled(self, module: str) -> bool:
        """True where an installed package has a shared object in the place of a text."""
        parent, _, name = self._path(module).rpartition("/")
        return any(e.startswith(f"{name}.") and e.endswith((".so", ".pyd")) for e in self.store.folder(parent) or {})

    def facts(self, module: str) -> ModuleFacts | None:
        """What a module offers; None for a folder without ``__init__.py`` and for no module at all."""
        if module not in self._facts:
            found = self._file(module)
            facts: ModuleFacts | None = None
            if found is not None:
                path, content, is_package = found
                # Relative imports make the facts depend on the module's own name.
                key = f"{self._read_with}{module}:{content}"
                facts = self._cache.get(key) if content else None
                if facts is None:
                    for _, text in self.store.read((path,)):
                        facts = read_module(text, module, is_package=is_package, switches=self._switches)
                    if facts is not None and content:
                        self._cache.put(key, facts)
            self._facts[module] = facts
        return self._facts[module]

    def modules(self) -> Iterator[tuple[str, str]]:
        """(module, path) of all files of the package."""
        for path, _ in walk(self.store, self.root, (".py",)):
            dotted = path[len(self.root) + 1 : -3].replace("/", ".")
            rest = dotted.removesuffix("__init__").rstrip(".")
            yield (f"{self.package}.{rest}" if rest else self.package), path

    def moved(self, module: str) -> str | None:
        """Where a compatibility table sends an old module name."""
        for package, table in self.rules.moved:
            if module.startswith(package + ".") and not self.is_module(module):
                name, _, rest = module[len(package) + 1 :].partition(".")
                facts = self.facts(package)
                new = facts.maps.get(table, {}).get(name) if facts else None
                if new is not None:
                    return f"{package}.{new}" + (f".{rest}" if rest else "")
        return None

    def inside(self, module: str) -> bool:
        """True for the package and its modules."""
        return module == self.package or module.startswith(self.package + ".")
