"""The rooms of docs/architecture.md: who imports whom, and who knows docker-py."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import rocmimg

ROOT = Path(rocmimg.__file__).parent
EVERYBODY = {
    "built",
    "errors",
    "files",
    "frozen",
    "git",
    "lazy",
    "leftovers",
    "paths",
    "problem",
    "source",
    "stages",
    "terminal",
    "__version__",
}
ROOMS = {
    "matrix": set(),
    "render": {"matrix"},
    "plan": {"matrix", "render", "engine"},
    "engine": set(),
    "builds": {"plan", "engine"},
    "checks": {"plan", "matrix", "builds", "engine", "contract"},
    "contract": {"matrix"},
    "lint": set(),
    "lock": {"matrix", "registry"},
    "registry": {"engine"},
    "release": {"plan", "matrix", "engine", "registry", "checks"},
    "report": {"plan", "checks", "contract", "lint"},
}


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """Every statement, those in functions too. Expressions import nothing, and are most of the tree."""
    for field in ("body", "handlers", "orelse", "finalbody", "cases"):
        for inner in getattr(node, field, ()):
            yield inner
            yield from _statements(inner)


@cache
def imported(path: Path) -> set[str]:
    """Dotted names of all that a file imports, wherever in it."""
    found = set()
    for node in _statements(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found |= {f"{node.module}.{name.name}" for name in node.names}
    return found


def test_every_room_is_known():
    assert {path.parent.name for path in ROOT.glob("*/__init__.py")} == {*ROOMS, "cli"}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_what_the_design_says(room):
    names = {name for path in (ROOT / room).rglob("*.py") for name in imported(path)}
    others = {name.split(".")[1] for name in names if name.startswith("rocmimg.")}
    assert others - EVERYBODY - {room} <= ROOMS[room]


@pytest.mark.parametrize(("room", "module"), [("plan", "context"), ("registry", "credentials")])
def test_of_the_engine_a_room_below_it_knows_one_type(room, module):
    names = {name for path in (ROOT / room).rglob("*.py") for name in imported(path)}
    assert {name.split(".")[2] for name in names if name.startswith("rocmimg.engine.")} == {module}


def test_of_the_rooms_beside_them_checks_know_the_least():
    """Types of the matrix, where an image is, and the names that the contract asks for."""
    names = {name for path in (ROOT / "checks").rglob("*.py") for name in imported(path)}
    theirs = {name for name in names if name.split(".")[1:2] and name.split(".")[1] in ("matrix", "builds", "contract")}
    known = ("rocmimg.matrix.Cell", "rocmimg.matrix.Matrix", "rocmimg.builds.locate.", "rocmimg.contract.probe.")
    assert [name for name in sorted(theirs) if not name.startswith(known)] == []


@pytest.mark.parametrize("room", [*ROOMS, "cli"])
def test_only_the_engine_knows_docker_py(room):
    knows = {
        path.name for path in (ROOT / room).rglob("*.py") if any(n.split(".")[0] == "docker" for n in imported(path))
    }
    assert bool(knows) == (room == "engine")
