"""The kernel folders of rocBLAS and hipBLASLt, wherever a copy of either looks for them.

Upstream looks beside the library (``rocblas/library``), in TheRock's releases one folder deeper by architecture, and
Debian beside the library by version (``rocblas/4.4.1/library``). Each has a variable that names another folder.
"""

from __future__ import annotations

import posixpath
import re
from typing import Any, Iterable, Mapping

from .archives import archs_in
from .tree import Tree

_LIBRARY = re.compile(r"lib(rocblas|hipblaslt)(?:-[0-9a-f]{8})?\.so")
_FOLDER = re.compile(r"/(rocblas|hipblaslt)(?:/[^/]+)?/library$")
_VARIABLES = {"rocblas": "ROCBLAS_TENSILE_LIBPATH", "hipblaslt": "HIPBLASLT_TENSILE_LIBPATH"}


def libraries(tree: Tree, paths: Iterable[str], env: Mapping[str, str]) -> list[dict[str, Any]]:
    """Each copy of either library, with the folders that it would find."""
    found = []
    for path in sorted(paths):
        if match := _LIBRARY.match(posixpath.basename(path)):
            name = match.group(1)
            folders = [_describe(tree, folder) for folder in _candidates(tree, path, name, env)]
            found.append({"library": path, "name": name, "path": path, "folders": [one for one in folders if one]})
    return found


def _candidates(tree: Tree, path: str, name: str, env: Mapping[str, str]) -> list[str]:
    if named := env.get(_VARIABLES[name]):
        return [named]
    beside = posixpath.join(posixpath.dirname(path), name)
    versions = [posixpath.join(beside, one, "library") for one in tree.names(beside) if one != "library"]
    return [posixpath.join(beside, "library"), *versions]


def _describe(tree: Tree, folder: str) -> dict[str, Any] | None:
    real = tree.real(folder)
    if not real:
        return None
    names = tree.names(real)
    if not names and not tree.names(posixpath.dirname(real)):
        return None
    archs, files, deeper = set(), 0, False
    for name in names:
        inner = tree.names(posixpath.join(real, name))
        if inner:
            # An architecture's folder is named after it and holds files that may not be.
            deeper = deeper or bool(archs_in(name))
            archs.update(archs_in(name))
            files += len(inner)
        else:
            archs.update(archs_in(name))
            files += 1
    layout = "arch" if deeper else "flat"
    if posixpath.basename(posixpath.dirname(real)) not in _VARIABLES:
        layout = "versioned"
    return {"path": real, "layout": layout, "archs": sorted(archs), "files": files}


def folders(tree: Tree) -> dict[str, list[str]]:
    """Every kernel folder of either, found by its name -> the architectures that it has something for."""
    found = {}
    for folder in tree.folders():
        if _FOLDER.search(folder) and (said := _describe(tree, folder)):
            found[folder] = said["archs"]
    return dict(sorted(found.items()))
