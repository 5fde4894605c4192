"""The Python distributions below given folders, and what their metadata and records say.

Read file by file rather than by importlib.metadata: one file that is not UTF-8 must not hide all the others, and an
image without a working Python has distributions too.
"""

from __future__ import annotations

import base64
import configparser
import csv
import hashlib
import json
import posixpath
import re
from email.parser import HeaderParser
from typing import Any, Iterable, Iterator, NamedTuple
from urllib.parse import unquote

from .tree import Tree

_REQUIRES = re.compile(r"^Requires-Dist:", re.MULTILINE | re.IGNORECASE)
_HASH_LIMIT = 4 << 20
"""Larger files are compared by size: Triton's one library has 400 MB."""
_INFO = (".dist-info", ".egg-info")
_FILES = (
    "METADATA", "PKG-INFO", "RECORD", "top_level.txt", "direct_url.json", "entry_points.txt", "INSTALLER",
    "requires.txt",
)  # fmt: skip


def keeps(path: str) -> bool:
    """Whether this module reads a file."""
    return path.endswith(_INFO) or (
        posixpath.basename(path) in _FILES and posixpath.dirname(path).endswith((*_INFO, "/EGG-INFO"))
    )


class _Line(NamedTuple):
    """A file of a distribution's record."""

    path: str
    hash: str
    size: str


class Distributions:
    """All distributions of ``path``, in its order; what cannot be read is in ``broken``."""

    def __init__(self, tree: Tree, path: Iterable[str]) -> None:
        self._tree = tree
        self.broken: list[dict[str, str]] = []
        self.found: list[dict[str, Any]] = []
        self._records: list[tuple[str, str, list[_Line]]] = []
        for folder in dict.fromkeys(path):
            for name in tree.names(folder):
                if name.endswith(_INFO) and not name.startswith("~"):
                    self._one(folder, posixpath.join(folder, name))

    def _one(self, folder: str, info: str) -> None:
        node = self._tree.at(info)
        single = bool(node and node.is_file)
        where = info if single else self._first(info, ("METADATA", "PKG-INFO"))
        text = self._text(where) if where else ""
        head = HeaderParser().parsestr(text)
        if not head["Name"]:
            if not where or not text.strip():
                self._wrong(where or info, "there is no METADATA" if not where else "it is empty")
            elif not any(one["path"] == where for one in self.broken):
                self._wrong(where, "it has no Name")
            return
        record = [] if single else self._record(info)
        requires = [" ".join(one.split()) for one in head.get_all("Requires-Dist") or ()]
        if not requires and not single and info.endswith(".egg-info"):
            requires = list(_egg_requires(self._text(posixpath.join(info, "requires.txt"))))
        tops = {line.path.split("/", 1)[0] for line in record if "/" in line.path}
        tops |= {re.split(r"[.-]", line.path)[0] for line in record if "/" not in line.path and ".so" in line.path}
        if not single:
            tops |= set(self._text(posixpath.join(info, "top_level.txt")).split())
        self._records.append((str(head["Name"]), folder, record))
        self.found.append(
            {
                "name": str(head["Name"]),
                "version": str(head["Version"] or ""),
                "path": folder,
                "metadata": where,
                "requires": requires,
                "requires_written": len(_REQUIRES.findall(text)),
                "requires_python": str(head["Requires-Python"] or ""),
                "broken_header": any("Separator" in type(defect).__name__ for defect in head.defects),
                "packages": sorted(top for top in tops if top.isidentifier()),
                "checkout": "" if single else self._checkout(info),
                "scripts": {} if single else self._scripts(info),
                "installer": "" if single else self._text(posixpath.join(info, "INSTALLER")).strip(),
            }
        )

    def _wrong(self, path: str, error: str) -> None:
        self.broken.append({"path": path, "error": error})

    def _first(self, info: str, names: Iterable[str]) -> str:
        paths = (posixpath.join(info, name) for name in names)
        return next((path for path in paths if self._tree.at(path)), "")

    def _text(self, path: str) -> str:
        data = self._tree.read(path)
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError as error:
            self._wrong(path, f"it is not UTF-8: byte 0x{data[error.start]:02x} at {error.start}")
            return data.decode("utf-8", "replace")

    def _record(self, info: str) -> list[_Line]:
        path = posixpath.join(info, "RECORD")
        try:
            rows = list(csv.reader(self._text(path).splitlines()))
        except csv.Error as error:
            self._wrong(path, f"it is not a list of files: {error}")
            return []
        return [_Line(*[*row, "", ""][:3]) for row in rows if row]

    def _checkout(self, info: str) -> str:
        """The folder of an editable install."""
        path = posixpath.join(info, "direct_url.json")
        text = self._text(path)
        if not text:
            return ""
        try:
            said = json.loads(text)
            url, editable = said["url"], said.get("dir_info", {}).get("editable", False)
            if not isinstance(url, str):
                raise TypeError("url is not a string")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            self._wrong(path, f"it is not what PEP 610 says: {type(error).__name__}: {error}")
            return ""
        return unquote(url[len("file://") :]) if editable and url.startswith("file://") else ""

    def _scripts(self, info: str) -> dict[str, str]:
        path = posixpath.join(info, "entry_points.txt")
        parser = configparser.ConfigParser(delimiters=("=",), strict=False, interpolation=None)
        parser.optionxform = str  # type: ignore[assignment,method-assign]
        try:
            parser.read_string(self._text(path))
        except configparser.Error as error:
            self._wrong(path, f"it cannot be read: {str(error).splitlines()[0]}")
            return {}
        if not parser.has_section("console_scripts"):
            return {}
        return {name: value.partition("[")[0].strip() for name, value in parser.items("console_scripts")}

    def overwritten(self, package: str) -> list[dict[str, str]]:
        """Files below ``package`` that are not what a distribution's record says of them."""
        wrong: list[dict[str, str]] = []
        for name, folder, record in self._records:
            for line in record:
                if line.path.startswith(package + "/") and line.hash:
                    path = posixpath.join(folder, line.path)
                    if said := self._differs(path, line):
                        wrong.append({"distribution": name, "path": path, "how": said})
        return wrong

    def _differs(self, path: str, line: _Line) -> str:
        node = self._tree.at(path)
        if not node or not node.is_file:
            return "missing"
        if line.size.isdigit() and node.size != int(line.size):
            return "another size"
        mode, _, value = line.hash.partition("=")
        if node.size > _HASH_LIMIT or mode not in hashlib.algorithms_available:
            return ""
        content = hashlib.new(mode, self._tree.read(path)).digest()
        return "" if base64.urlsafe_b64encode(content).decode().rstrip("=") == value else "another content"


def _egg_requires(text: str) -> Iterator[str]:
    """The lines of setuptools' requires.txt as Requires-Dist."""
    extra = marker = ""
    for raw in text.splitlines():
        line = raw.strip()
        if line.startswith("["):
            extra, _, marker = line.strip("[]").partition(":")
        elif line:
            conditions = [f'extra == "{extra}"'] if extra else []
            conditions += [f"({marker})" if extra else marker] if marker else []
            yield line + (" ; " + " and ".join(conditions) if conditions else "")
