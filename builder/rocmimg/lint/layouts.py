"""How a source tree of the build context is laid out: whether its editable install can be shadowed."""

from __future__ import annotations

import re
import tomllib
from configparser import ConfigParser
from configparser import Error as ConfigParserError
from pathlib import Path
from typing import Any, Final

# Their editable installs put the folder of the sources on the path, or a finder in front of it.
_SAFE_BACKENDS: Final = re.compile(r"hatchling|flit|poetry|pdm|scikit_build_core|mesonpy|maturin|uv_build|whey")
_SETUP_PACKAGE_DIR: Final = re.compile(r"package_dir\s*=\s*(?:\{\s*[\"']{2}|dict\(|\w)")


def shadowed(tree: Path, package: str) -> bool | None:
    """Whether ``import package`` beside a checkout finds its folder instead of the editable install's package.

    True for a package below the build files, installed by setuptools without a ``package_dir`` for the root: its
    editable install is an import hook. None where the files do not tell.
    """
    setup, pyproject = _read(tree / "setup.py"), _read(tree / "pyproject.toml")
    if setup is None and pyproject is None and not (tree / "setup.cfg").is_file():
        return None
    try:
        content: dict[str, Any] = tomllib.loads(pyproject or "")
    except tomllib.TOMLDecodeError:
        return None
    backend = str((content.get("build-system") or {}).get("build-backend") or "setuptools")
    if _SAFE_BACKENDS.search(backend) or not (tree / package / "__init__.py").is_file():
        return False
    if not backend.startswith("setuptools"):
        return None
    tool = (content.get("tool") or {}).get("setuptools") or {}
    packages = tool.get("packages")
    where = packages.get("find", {}).get("where") if isinstance(packages, dict) else None
    named = "" in (tool.get("package-dir") or {}) or (where is not None and list(where) != ["."])
    return not (named or _SETUP_PACKAGE_DIR.search(setup or "") or _configured(tree / "setup.cfg"))


def _configured(path: Path) -> bool:
    parser = ConfigParser()
    try:
        parser.read_string(_read(path) or "")
    except ConfigParserError:
        return True
    return parser.has_option("options", "package_dir") or parser.has_option("options.packages.find", "where")


def _read(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return None
