"""The probe. ``python probe.pyz JOB``: a JSON job in, one JSON object on standard output.

Keys of the answer, each a section that failed alone where it is {"error": ...}:

- ``surroundings``: env, interactive, login, etc_environment, uid, groups, known_groups, user, writable, kfd
- ``files``: bytes, count, leftovers, objects (shared objects and code objects), unreadable, tensile, locks,
  amdgpu_ids, rdma_providers
- ``git``: component -> head and tag of its checkout
- ``interpreter``: version, executable, prefix, site
- ``distributions``: name, version, path, requires, requires_written, broken_header, packages, checkout
- ``overwritten``: files of Triton that are not what a record says
- ``origins``: a list of {cwd, own_env, modules: {name: {origin, locations, error}}}
- ``imports``: module -> {error, trace, file, version, missing, seconds, [hip, cuda]}
- ``maps``: [path, inode] after torch and amdsmi were imported; ``loads``: {path, error} of each library
- ``seconds``: section -> seconds
"""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib import machinery
from typing import Any, Callable

from . import distributions, files, surroundings

_STACK = ("torch", "amdsmi")
_MASKS = ("PYTHONPATH", "PYTHONSAFEPATH")
_ENDINGS = tuple(suffix for suffix in machinery.EXTENSION_SUFFIXES if suffix != ".so")


class Probe:
    """One run over the image."""

    def __init__(self, job: dict[str, Any], source: str) -> None:
        self._job = job
        self._source = source
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
        self.section("interpreter", self._interpreter)
        site = self.answer["interpreter"].get("site", [])
        self.section("files", lambda: files.Walk({**self._job, "site": site}).result())
        self.section("git", self._git)
        if self._job["only_files"]:
            return self.answer
        self.section("surroundings", surroundings.surroundings)
        self.section("distributions", distributions.distributions)
        self.section("overwritten", lambda: distributions.overwritten("triton"))
        if self._job["python"]:
            self.section("origins", self._origins)
            began = time.monotonic()
            self._imports()
            self.answer["seconds"]["imports"] = round(time.monotonic() - began, 3)
        return self.answer

    def _interpreter(self) -> dict[str, Any]:
        # -I keeps what is no package folder off the path: the work directory and PYTHONPATH.
        done = subprocess.run(
            [sys.executable, "-Ic", "import json, sys; print(json.dumps(sys.path))"],
            stdout=subprocess.PIPE,
            timeout=60,
            check=True,
        )
        path = [folder for folder in json.loads(done.stdout) if folder.endswith("-packages")]
        return {
            "version": platform.python_version(),
            "executable": sys.executable,
            "prefix": sys.prefix,
            "site": sorted(path, key=len, reverse=True),
        }

    def _git(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, folder in self._job["checkouts"].items():
            if os.path.isdir(os.path.join(folder, ".git")):
                found[name] = {
                    "head": _git(folder, "rev-parse", "HEAD") or _head_file(folder),
                    "tag": _git(folder, "describe", "--tags", "--exact-match", "HEAD"),
                }
        return found

    def _fresh(self, job: dict[str, Any], cwd: str, env: dict[str, str], limit: float) -> Any:
        """The answer of a fresh interpreter, or {"error": ...}."""
        process = subprocess.Popen(
            [sys.executable, "-c", self._source],
            cwd=cwd,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            out, err = process.communicate(json.dumps(job).encode(), timeout=limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return {"error": f"hangs: ended after {limit:.0f} s"}
        lines = out.decode("utf-8", "replace").splitlines()
        if process.returncode == 0 and lines:
            return json.loads(lines[-1])
        how = f"signal {-process.returncode}" if process.returncode < 0 else f"exit code {process.returncode}"
        last = " | ".join(err.decode("utf-8", "replace").strip().splitlines()[-3:])
        return {"error": f"the interpreter ended with {how}: {last}"}

    def _origins(self) -> list[dict[str, Any]]:
        own = dict(os.environ)
        bare = {name: value for name, value in own.items() if name not in _MASKS}
        answers = []
        for cwd in dict.fromkeys((self._job["workdir"], "/")):
            for env in [own] if bare == own else [own, bare]:
                job = {"do": "origins", "modules": self._job["modules"]}
                found = self._fresh(job, cwd, env, 60.0)
                if "error" in found:
                    raise RuntimeError(found["error"])
                answers.append({"cwd": cwd, "own_env": env is own, "modules": found})
        return answers

    def _imports(self) -> None:
        """The stack and each component in an interpreter of its own, side by side, as far as there are processors."""
        stack = {"do": "imports", "modules": _STACK, "optional": _STACK, "libraries": self._libraries()}
        jobs = [(None, stack)] + [
            (name, {"do": "imports", "modules": [name], "requires": self._job["requires"]})
            for name in self._job["modules"]
            if name not in _STACK
        ]
        limit = float(self._job["import_limit"])

        def run(job: dict[str, Any]) -> Any:
            return self._fresh(job, self._job["workdir"], dict(os.environ), limit)

        with ThreadPoolExecutor(max(1, min(4, os.cpu_count() or 1))) as pool:
            answers = list(pool.map(run, [job for _, job in jobs]))
        imports: dict[str, Any] = {}
        for (name, _), found in zip(jobs, answers):
            if name is None:
                imports.update(found.get("modules", {}))
                self.answer["maps"] = found.get("maps", found)
                self.answer["loads"] = found.get("loads", found)
            else:
                imports[name] = (
                    found["modules"][name] if "modules" in found else {**found, "trace": "", "seconds": limit}
                )
        self.answer["imports"] = imports

    def _libraries(self) -> list[str]:
        """The shared objects that are loaded for a test: the components' own, and Python's extension modules."""
        objects = self.answer["files"].get("objects", [])
        site = tuple(folder + "/" for folder in self.answer["interpreter"].get("site", []))
        return [
            one["path"]
            for one in objects
            if one["kind"] == "shared object"
            and (
                one["owner"] in self._job["checkouts"]
                or (one["path"].startswith(site) and one["path"].endswith(_ENDINGS))
            )
        ]


def _git(folder: str, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-c", "safe.directory=*", "-C", folder, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode().strip() if done.returncode == 0 else ""


def _head_file(folder: str) -> str:
    """The commit of a detached HEAD, where the image has no git."""
    with open(os.path.join(folder, ".git", "HEAD"), encoding="ascii") as file:
        text = file.read().strip()
    return "" if text.startswith("ref:") else text


def main(source: str) -> None:
    """Run the job that the command line names; ``source`` is the text of fresh.py."""
    with open(sys.argv[1], encoding="utf-8") as file:
        job = json.load(file)
    json.dump(Probe(job, source).run(), sys.stdout)


if __name__ == "__main__":
    main("")
