"""Other things that the pins alone tell, before anything is built: one small function each.

Failure classes: F05 a component's setup.py swaps Triton, F10 the way of installing builds no kernels, F35 an old pin no
longer checks out, F36 a component needs more than its base has.
"""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from rocmimg.contract.expressions import dotted, parse, text_of
from rocmimg.contract.git import GitRepository, Mirrors, run_git
from rocmimg.contract.stores import Store
from rocmimg.leftovers import scratch
from rocmimg.matrix.python import python_in_name

Check = Literal["prebuild", "triton-swap", "checkout", "minimum"]
PrebuildIn = Literal["setup.py", "build_ext", "nowhere"]

SWAP_GATE: Final = "AITER_USE_SYSTEM_TRITON"
_CMAKE: Final = re.compile(rb"^\s*cmake_minimum_required\s*\(\s*VERSION\s+([\d.]+)", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class PinFinding:
    """One thing that is wrong with a pin, or with how a recipe uses it."""

    check: Check
    level: Literal["error", "warning", "info"]
    message: str
    file: str = ""
    line: int = 0


def _text(store: Store, path: str) -> bytes:
    folder, _, name = path.rpartition("/")
    if name not in (store.folder(folder) or {}):
        return b""
    return next((content for _, content in store.read((path,))), b"")


def prebuild(store: Store) -> tuple[PrebuildIn, int]:
    """Where a setup.py compiles kernels ahead of time, and the line.

    "setup.py": on its import, so every command does; "build_ext": only when that command runs, so that ``develop``
    builds nothing and says nothing (F10).
    """
    tree = parse(_text(store, "setup.py"))[0]
    for statement in tree.body if tree is not None else ():
        for node in ast.walk(statement):
            if isinstance(node, ast.Call) and dotted(node.func).endswith(".build_module"):
                return "build_ext" if isinstance(statement, ast.ClassDef) else "setup.py", node.lineno
    return "nowhere", 0


def check_prebuild(store: Store, *, way: Literal["build_ext", "wheel", "develop"]) -> PinFinding | None:
    """Whether a way of installing compiles kernels ahead of time at this pin. None where it does."""
    where, line = prebuild(store)
    if where == "nowhere":
        return PinFinding(
            check="prebuild",
            level="warning",
            file="setup.py",
            message="setup.py compiles no kernels ahead of time here",
        )
    if where == "build_ext" and way == "develop":
        message = "kernels are compiled in build_ext only: `setup.py develop` builds none and says nothing"
        return PinFinding(check="prebuild", level="error", file="setup.py", line=line, message=message)
    return None


def check_triton_swap(store: Store, environment: Mapping[str, str]) -> PinFinding | None:
    """Whether a setup.py replaces the installed Triton, given the environment in which it will run.

    None where it does not, or where the environment forbids it.
    """
    tree = parse(_text(store, "setup.py"))[0]
    if tree is None:
        return None
    installs = gate = 0
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            installs = installs or (node.lineno if node.value.endswith("install_triton.sh") else 0)
        if isinstance(node, ast.Call) and any(text_of(argument) == SWAP_GATE for argument in node.args):
            gate = node.lineno
    if not installs or (gate and environment.get(SWAP_GATE, "0") not in ("", "0")):
        return None
    cure = f"set {SWAP_GATE}=1" if gate else "nothing switches it off"
    message = f"setup.py replaces the installed Triton with one of its own; {cure}"
    return PinFinding(check="triton-swap", level="error", file="setup.py", line=installs, message=message)


def check_python(store: Store, base: str) -> PinFinding | None:
    """Whether the Python in a base image's tag is what a project asks for. None where it is, or where none is said."""
    said = python_in_name(base)
    wanted, file = _requires_python(store)
    if not said or not wanted:
        return None
    try:
        if Version(said) in SpecifierSet(wanted) or Version(f"{said}.99") in SpecifierSet(wanted):
            return None
    except (InvalidSpecifier, InvalidVersion):
        return None
    message = f"needs Python {wanted}, and the base {base} says Python {said}"
    return PinFinding(check="minimum", level="error", file=file, message=message)


def _requires_python(store: Store) -> tuple[str, str]:
    try:
        project = tomllib.loads(_text(store, "pyproject.toml").decode(errors="replace")).get("project", {})
    except tomllib.TOMLDecodeError:
        project = {}
    if isinstance(project, dict) and isinstance(project.get("requires-python"), str):
        return project["requires-python"], "pyproject.toml"
    tree = parse(_text(store, "setup.py"))[0]
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.keyword) and node.arg == "python_requires":
            return text_of(node.value) or "", "setup.py"
    return "", ""


def check_cmake(store: Store, cmake: str) -> PinFinding | None:
    """Whether a pinned CMake (``==3.31.10``, or a bare version) is new enough for the top CMakeLists.txt."""
    text = _text(store, "CMakeLists.txt")
    found = _CMAKE.search(text)
    pinned = cmake.strip().removeprefix("==")
    if found is None or not re.fullmatch(r"[\d.]+", pinned):
        return None
    wanted = found[1].decode()
    if Version(pinned) >= Version(wanted):
        return None
    return PinFinding(
        check="minimum",
        level="error",
        file="CMakeLists.txt",
        line=text.count(b"\n", 0, found.start(1)) + 1,
        message=f"needs CMake {wanted}, and {pinned} is pinned",
    )


def check_checkout(repository: GitRepository, commit: str) -> list[PinFinding]:
    """Clone, check out the default branch, then the pin, then look for its submodules: what a build does, dry (F35).

    The clone borrows the objects of the repository at hand and goes away afterwards. Submodules are asked for by
    their address only; without network that part is reported as not run.
    """
    with scratch("rocmimg-contract-") as folder:
        clone = Path(folder) / "clone"
        made = run_git(Path(folder), "clone", "--quiet", "--shared", str(repository.git_dir), str(clone))
        if made.returncode:
            return [_failed("clone", made)]
        out = run_git(clone, "checkout", "--quiet", "--detach", commit)
        if out.returncode:
            forced = run_git(clone, "checkout", "--quiet", "--force", "--detach", commit)
            cure = "; `checkout --force` works" if not forced.returncode else ""
            return [_failed("checkout", out, cure)]
        findings = []
        dirty = run_git(clone, "status", "--porcelain", "--untracked-files=no", "--ignore-submodules=all")
        if changed := dirty.stdout.decode(errors="replace").splitlines():
            message = f"a fresh checkout is already changed: {changed[0][3:]}" + _and_more(len(changed) - 1)
            findings.append(PinFinding(check="checkout", level="warning", message=f"{message} (line endings?)"))
        return findings + _submodules(clone, repository.mirrors)


def _submodules(clone: Path, mirrors: Mirrors) -> list[PinFinding]:
    listed = run_git(clone, "config", "--file", ".gitmodules", "--get-regexp", r"^submodule\..*\.url$")
    findings = []
    for line in listed.stdout.decode(errors="replace").splitlines():
        url = line.partition(" ")[2]
        answer = run_git(clone, "ls-remote", "--quiet", url, "HEAD", mirrors=mirrors)
        if answer.returncode:
            offline = b"resolve host" in answer.stderr or b"Network is unreachable" in answer.stderr
            message = (
                f"submodule {url} was not looked for: no network" if offline else f"submodule {url} does not answer"
            )
            findings.append(PinFinding(check="checkout", level="info" if offline else "error", message=message))
    return findings


def _failed(what: str, result: subprocess.CompletedProcess[bytes], cure: str = "") -> PinFinding:
    lines = [line for line in result.stderr.decode(errors="replace").splitlines() if line.strip()]
    return PinFinding(check="checkout", level="error", message=f"{what} fails: {lines[0] if lines else '?'}{cure}")


def _and_more(count: int) -> str:
    return f" and {count} more" if count > 0 else ""
