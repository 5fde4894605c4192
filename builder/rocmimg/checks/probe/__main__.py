"""The probe inside an image: a job in, the answer out; what both look like is said in ``rocmimg.checks.probe``."""

from __future__ import annotations

import os
import platform
import posixpath
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable

from . import FORMAT, children, surroundings
from .distributions import Distributions
from .entry import Entry, user
from .files import Walk
from .tree import Live, Tree

_STACK = ("torch", "torchvision", "torchaudio", "amdsmi")
_MASKS = ("PYTHONPATH", "PYTHONSAFEPATH")
_START_LIMIT_S = 30.0
_ORIGINS_LIMIT_S = 60.0
_LOAD_LIMIT_S = 180.0
_SHOWN = 2000
_OTHER_PYTHON = re.compile(r"\.cpython-(\d+)[a-z]*-")
_PACKAGES = ("site-packages", "dist-packages")


class Probe:
    """One run over the image."""

    def __init__(self, job: dict[str, Any], source: str, tree: Tree | None = None) -> None:
        self._job = job
        self._source = source
        self._tree = tree or Live()
        self._env = dict(os.environ)
        self._python = self._chosen = self._broken = ""
        self._path: list[str] = []
        self._walk: Walk | None = None
        self.answer: dict[str, Any] = {"seconds": {}}

    def section(self, name: str, collect: Callable[[], Any]) -> None:
        """Fill one key; an exception costs that key only."""
        began = time.monotonic()
        try:
            self.answer[name] = collect()
        except Exception as error:
            self.answer[name] = {"error": f"{type(error).__name__}: {error}"}
        self.answer["seconds"][name] = round(time.monotonic() - began, 3)

    def run(self) -> dict[str, Any]:
        """All sections; with ``only_files`` those that must see every file, whoever may read it."""
        self.answer["probe"] = {
            "format": FORMAT, "where": "image", "kind": "", "error": "",
            "python": sys.executable, "version": platform.python_version(),
        }  # fmt: skip
        who = user(self._tree, self._job["user"])
        entry = Entry(self._tree, self._job["argv"], self._env, self._job["workdir"], who)
        self._choose(entry)
        self.section("startup", self._startup)
        self.answer["interpreter"]["entry"] = entry.python
        if self._job["files"]:
            self.section("files", self._files)
            self.section("entry", lambda: self._entry(entry))
            self.section("git", self._git)
        if self._job["only_files"]:
            return self.answer
        self.section("surroundings", surroundings.surroundings)
        found = Distributions(self._tree, self._path)
        self.answer["distributions"] = found.found
        self.section("overwritten", lambda: found.overwritten("triton"))
        self.answer["broken_metadata"] = found.broken
        if self._job["python"]:
            self.section("origins", self._origins)
            began = time.monotonic()
            self._imports(self._libraries())
            self.section("entry_import", lambda: self._entry_import(entry))
            self.answer["seconds"]["imports"] = round(time.monotonic() - began, 3)
        return self.answer

    @property
    def _cwd(self) -> str:
        return self._job["workdir"] if os.path.isdir(self._job["workdir"]) else "/"

    def _choose(self, entry: Entry) -> None:
        """The image's Python: the one that images.yaml names by its path, the entry point's, or the first on PATH."""
        named = self._job["interpreter"]
        if "/" in named:
            self._python, self._chosen = named, "images.yaml"
        elif entry.python and not entry.problem:
            self._python, self._chosen = entry.python, "entry point"
        else:
            self._python = shutil.which(named or "python3") or shutil.which("python3") or sys.executable
            self._chosen = "PATH"

    def _startup(self) -> dict[str, Any]:
        """Start the interpreter as users start it, and fill ``interpreter`` from what it says."""
        job = {"do": "start"}
        ended, said = children.ask(self._python, self._source, job, _START_LIMIT_S, cwd=self._cwd, env=self._env)
        out = ended.stdout.decode("utf-8", "replace")
        error = ""
        if "path" not in said:
            error = ended.said() or f"it ends with exit code {ended.code} before it runs anything"
            self._broken = f"{self._python} does not start: {error}"
        elif out:
            error = f"it writes to standard output: {out[:200]!r}"
        if self._broken:
            # What it is, without its start-up files; where those lie is then told by the names of folders.
            _, said = children.ask(self._python, self._source, job, _START_LIMIT_S, flags=("-I", "-S"))
            own = posixpath.dirname(posixpath.dirname(self._python))
            prefix = own if os.path.exists(own + "/pyvenv.cfg") else said.get("prefix", sys.prefix)
            said = {**said, "prefix": prefix, "path": [*said.get("path", []), *_package_folders(prefix)]}
        self._path = [folder for folder in said["path"] if folder]
        packages = [folder for folder in self._path if folder.endswith("-packages")]
        self.answer["interpreter"] = {
            "version": said.get("version", ""),
            "executable": said.get("executable", self._python),
            "prefix": said.get("prefix", ""),
            "site": sorted(packages, key=len, reverse=True),
            "path": self._path,
            "chosen_by": self._chosen,
            "markers": said.get("markers", {}),
        }
        return {
            "command": [self._python, "-c", "..."],
            "seconds": round(ended.seconds, 3),
            "exit": ended.code,
            "stdout": out[:_SHOWN],
            "stderr": ended.stderr.decode("utf-8", "replace")[:_SHOWN],
            "error": error,
            "start_files": self._start_files(packages, said.get("start", [])),
            "shadowed": self._shadowed(),
        }

    def _start_files(self, packages: list[str], said: list[str | None]) -> list[dict[str, Any]]:
        """What runs when the interpreter starts."""
        found: list[dict[str, Any]] = [{"path": path, "lines": []} for path in said if path]
        for folder in packages:
            for name in self._tree.names(folder):
                path = posixpath.join(folder, name)
                if name.endswith(".pth"):
                    lines = self._tree.read(path, 1 << 16).decode("utf-8", "replace").splitlines()
                    runs = [line[:200] for line in lines if line.startswith(("import ", "import\t"))]
                    if runs:
                        found.append({"path": path, "lines": runs})
                elif name in ("sitecustomize.py", "usercustomize.py") and path not in said:
                    found.append({"path": path, "lines": []})
        return found

    def _shadowed(self) -> list[dict[str, str]]:
        """Files that are found before the standard library's module of that name."""
        own = next((folder for folder in self._path if re.search(r"/python3\.\d+$", folder)), "")
        if not own:
            return []
        standard = {name.partition(".")[0] for name in os.listdir(own)} - {"site-packages", "dist-packages"}
        before = self._path[: self._path.index(own)]
        found = []
        for folder in dict.fromkeys([self._cwd, *before]):
            for name in self._tree.names(folder):
                module, dot, ending = name.partition(".")
                path = posixpath.join(folder, name)
                package = not dot and self._tree.at(posixpath.join(path, "__init__.py"))
                if module in standard and (ending == "py" or package):
                    found.append({"module": module, "path": path})
        return found

    def _files(self) -> dict[str, Any]:
        facts = self.answer["interpreter"]
        options = {**self._job, "site": facts["site"], "env": self._env, "machine": platform.machine()}
        self._walk = Walk(self._tree, options)
        return self._walk.result()

    def _entry(self, entry: Entry) -> dict[str, Any]:
        missing = entry.missing(self._walk.loader) if self._walk else []
        return {**entry.facts(), "missing": missing, "import": None}

    def _git(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, folder in self._job["checkouts"].items():
            if os.path.isdir(os.path.join(folder, ".git")):
                found[name] = {
                    "head": _git(folder, "rev-parse", "HEAD") or _head_file(folder),
                    "tag": _git(folder, "describe", "--tags", "--exact-match", "HEAD"),
                }
        return found

    def _fresh(self, job: dict[str, Any], cwd: str, env: dict[str, str], limit: float, python: str = "") -> Any:
        """The answer of a fresh interpreter, or {"error": ...}."""
        if self._broken:
            return {"error": self._broken}
        return children.ask(python or self._python, self._source, job, limit, cwd=cwd, env=env)[1]

    def _origins(self) -> list[dict[str, Any]]:
        bare = {name: value for name, value in self._env.items() if name not in _MASKS}
        answers = []
        for cwd in dict.fromkeys((self._cwd, "/")):
            for env in [self._env] if bare == self._env else [self._env, bare]:
                job = {"do": "origins", "modules": self._job["modules"]}
                found = self._fresh(job, cwd, env, _ORIGINS_LIMIT_S)
                if "error" in found:
                    raise RuntimeError(found["error"])
                answers.append({"cwd": cwd, "own_env": env is self._env, "modules": found})
        return answers

    def _imports(self, libraries: list[str]) -> None:
        """The stack and each component in an interpreter of its own, side by side, as far as there are processors."""
        limit = float(self._job["import_limit"])
        names = [name for name in self._job["modules"] if name not in _STACK]
        stack = {
            "do": "imports", "modules": _STACK, "optional": _STACK, "libraries": libraries, "load_limit": _LOAD_LIMIT_S,
        }  # fmt: skip

        def run(name: str) -> Any:
            if not name:
                return self._fresh(stack, self._cwd, self._env, limit + _LOAD_LIMIT_S)
            job = {"do": "imports", "modules": [name], "requires": self._job["requires"]}
            found = self._fresh(job, self._cwd, self._env, limit)
            if "modules" in found and not found["torch"] and not found["modules"][name]["error"]:
                # Which runtime a component opens is seen beside torch only, as users have it.
                both = {"do": "imports", "modules": ["torch", name], "optional": ["torch"]}
                found["maps"] = self._fresh(both, self._cwd, self._env, limit).get("maps", found["maps"])
            return found

        with ThreadPoolExecutor(max(1, min(4, os.cpu_count() or 1))) as pool:
            first, *others = pool.map(run, ["", *names])
        imports: dict[str, Any] = dict(first.get("modules", {}))
        self.answer["maps"] = first.get("maps", first)
        self.answer["loads"] = first.get("loads", first)
        meets = {}
        for name, found in zip(names, others):
            imports[name] = found["modules"][name] if "modules" in found else {**found, "trace": "", "seconds": limit}
            if "maps" in found:
                meets[name] = found["maps"]
        self.answer["imports"] = imports
        self.answer["meets"] = meets

    def _libraries(self) -> list[str]:
        """The shared objects that are loaded for a test: those of Python packages, and the components' own."""
        if self._walk is None:
            return list(self._job["libraries"])
        return loadable(self.answer["files"], self.answer["interpreter"], self._job["checkouts"])

    def _entry_import(self, entry: Entry) -> dict[str, Any] | None:
        """What the entry point's own module says when it is imported as the entry point does."""
        if not entry.module or entry.problem:
            return None
        began = time.monotonic()
        limit = float(self._job["import_limit"])
        if not entry.attribute:
            # `-m` runs the module itself: it is looked up, not run.
            job = {"do": "origins", "modules": [entry.module]}
            found = self._fresh(job, self._cwd, self._env, limit, entry.python)
            one = found.get(entry.module, found)
            error = one.get("error", "") or ("" if one.get("origin") else f"there is no module {entry.module}")
            return {"error": error, "trace": "", "seconds": time.monotonic() - began}
        name = f"{entry.module}.{entry.attribute}"
        asked: dict[str, Any] = {"modules": [entry.module], "requires": {entry.module: [name]}}
        job = {"do": "imports", "folder": entry.folder, **asked}
        found = self._fresh(job, self._cwd, self._env, limit, entry.python)
        one = found["modules"][entry.module] if "modules" in found else found
        error = one["error"] or ("" if not one.get("missing") else f"{entry.module} has no {entry.attribute}")
        seconds = time.monotonic() - began
        return {"error": error, "trace": one.get("trace", ""), "seconds": seconds, "maps": found.get("maps", [])}


def loadable(files: dict[str, Any], interpreter: dict[str, Any], checkouts: dict[str, str]) -> list[str]:
    """The shared objects that this interpreter's processes may load."""
    site = tuple(folder + "/" for folder in interpreter["site"])
    tag = "".join(interpreter["version"].split(".")[:2])
    found = []
    for one in files.get("objects", []):
        if one["kind"] == "shared object" and (one["owner"] in checkouts or one["path"].startswith(site)):
            other = _OTHER_PYTHON.search(one["path"])
            if not other or not tag or other.group(1) == tag:
                found.append(one["path"])
    return found


def _package_folders(prefix: str) -> list[str]:
    """Where a Python of this prefix has its packages, by the names of folders."""
    found = []
    for place in (prefix + "/lib", prefix + "/local/lib"):
        for name in sorted(os.listdir(place)) if os.path.isdir(place) else ():
            if name.startswith("python3"):
                found += [os.path.join(place, name, kind) for kind in _PACKAGES]
    return [folder for folder in found if os.path.isdir(folder)]


def _git(folder: str, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-c", "safe.directory=*", "-C", folder, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace").strip() if done.returncode == 0 else ""


def _head_file(folder: str) -> str:
    """The commit of a detached HEAD, where the image has no git."""
    with open(os.path.join(folder, ".git", "HEAD"), encoding="ascii") as file:
        text = file.read().strip()
    return "" if text.startswith("ref:") else text
