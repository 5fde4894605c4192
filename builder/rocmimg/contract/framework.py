"""The framework's side: which of its files mention a package, and what they use of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from rocmimg.contract.cache import ParseCache
from rocmimg.contract.model import FileUses
from rocmimg.contract.scan import read_uses
from rocmimg.contract.stores import GitStore, Store, walk

_NOT_SHIPPED: Final = frozenset(
    {"test", "tests", "testing", "benchmark", "benchmarks", "example", "examples", "docs", "doc", "scripts", "3rdparty"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What a framework uses of one package."""

    files: int
    uses: tuple[tuple[str, FileUses], ...]
    """Files that mention the package, by path."""


def scan(store: Store, package: str, cache: ParseCache[FileUses]) -> Scan:
    """Read all shipped Python files of a framework."""
    if isinstance(store, GitStore):
        store.prefetch("", (".py",))
    files = [entry for root in roots(store) for entry in walk(store, root, (".py",))]
    files = [(path, key) for path, key in files if not _is_the_package(path, package)]
    keys = {path: f"{package}:{key}" for path, key in files}
    cache.load(keys.values())
    unread = [path for path, _ in files if cache.get(keys[path]) is None]
    for path, content in store.read(unread):
        cache.put(keys[path], read_uses(content, package) if _mentions(content, package) else FileUses())
    found = ((path, cache.get(keys[path]) or FileUses()) for path, _ in files)
    return Scan(files=len(files), uses=tuple((path, uses) for path, uses in found if uses.uses or uses.error))


def _mentions(content: bytes, package: str) -> bool:
    """False where a file can have no use; saves parsing it. The plain search comes first: it is far cheaper."""
    if package.encode() not in content:
        return False
    name = re.escape(package)
    use = rf"^[ \t]*(?:import|from)\b.*\b{name}\b|['\"]{name}\b|\bops\.{name}\b"
    return re.search(use.encode(), content, re.MULTILINE) is not None


def _is_the_package(path: str, package: str) -> bool:
    """True for files of the package itself, where a framework's tree carries a copy of it."""
    name = package.replace(".", "/")
    return path.startswith(f"{name}/") or f"/site-packages/{name}/" in path


def roots(store: Store) -> list[str]:
    """Folders of the top-level packages that are shipped; the whole tree where it has none."""
    found = list(_packages(store, "", depth=3))
    return found or [""]


def _packages(store: Store, folder: str, depth: int) -> Iterator[str]:
    entries = store.folder(folder) or {}
    if "__init__.py" in entries:
        yield folder
        return
    for name, (is_folder, _) in sorted(entries.items()):
        if is_folder and depth and name not in _NOT_SHIPPED and not name.startswith("."):
            yield from _packages(store, f"{folder}/{name}" if folder else name, depth - 1)
