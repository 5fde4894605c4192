"""What a fresh interpreter does: run with ``python -c``, as users run it, so that its working directory counts.

Standard input holds the job, the last line of standard output the answer, both JSON. This file stands alone.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import json
import os
import select
import sys
import time
import traceback
from typing import Any

_ITEM_LIMIT_S = 30.0


def origins(job: dict[str, Any]) -> dict[str, Any]:
    """Where the import system finds each module, without importing it."""
    found: dict[str, Any] = {}
    for name in job["modules"]:
        try:
            spec = importlib.util.find_spec(name)
        except Exception as error:
            found[name] = {"origin": None, "locations": [], "error": f"{type(error).__name__}: {error}"}
            continue
        origin = spec.origin if spec else None
        found[name] = {
            "origin": origin if origin and os.path.exists(origin) else None,
            "locations": list(spec.submodule_search_locations or []) if spec else [],
            "error": "",
        }
    return found


def imports(job: dict[str, Any]) -> dict[str, Any]:
    """Import modules one after the other in this process; then what is mapped, and which libraries can be loaded."""
    modules: dict[str, Any] = {}
    for name in job["modules"]:
        if name in job.get("optional", ()) and importlib.util.find_spec(name) is None:
            continue
        modules[name] = _import(name, job.get("requires", {}).get(name, []))
    return {"modules": modules, "maps": _maps(), "loads": _load_all(job.get("libraries", []))}


def _import(name: str, requires: list[str]) -> dict[str, Any]:
    began = time.monotonic()
    try:
        module = importlib.import_module(name)
    except BaseException as error:
        return {
            "error": f"{type(error).__name__}: {error}",
            "trace": traceback.format_exc()[-2000:],
            "seconds": time.monotonic() - began,
        }
    facts = {
        "error": "",
        "file": getattr(module, "__file__", None),
        "version": str(getattr(module, "__version__", "")),
        "missing": [dotted for dotted in requires if not _has(dotted)],
        "seconds": time.monotonic() - began,
    }
    if name == "torch":
        version = getattr(module, "version", None)
        facts["hip"] = getattr(version, "hip", None)
        facts["cuda"] = getattr(version, "cuda", None)
    return facts


def _has(dotted: str) -> bool:
    """Whether a name can be reached, importing submodules on the way."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        try:
            value: Any = importlib.import_module(".".join(parts[:length]))
        except ImportError:
            value = None
        if value is not None:
            break
    for attribute in parts[length:]:
        value = getattr(value, attribute, None)
    return value is not None


def _maps() -> list[list[Any]]:
    """[path, device and inode] of every shared object in this process."""
    found: dict[str, str] = {}
    with open("/proc/self/maps") as file:
        for line in file:
            parts = line.split(None, 5)
            if len(parts) == 6 and ".so" in parts[5]:  # noqa: PLR2004
                found[parts[5].strip()] = parts[3] + ":" + parts[4]
    return [[path, inode] for path, inode in sorted(found.items())]


def _load_all(paths: list[str]) -> list[dict[str, Any]]:
    """Load each library with all its symbols bound, in a copy of this process; a crash costs the copy only."""
    results: list[dict[str, Any]] = []
    while len(results) < len(paths):
        results += _load_some(paths[len(results) :])
    return results


def _load_some(paths: list[str]) -> list[dict[str, Any]]:
    """The outcome of the first of ``paths`` at least, of as many as one copy survives."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        with os.fdopen(writing, "w", buffering=1) as out:
            for path in paths:
                try:
                    ctypes.CDLL(path, mode=os.RTLD_NOW | os.RTLD_LOCAL)
                    error = ""
                except OSError as problem:
                    error = str(problem)
                out.write(json.dumps(error) + "\n")
        os._exit(0)
    os.close(writing)
    data = b""
    while True:
        ready, _, _ = select.select([reading], [], [], _ITEM_LIMIT_S)
        chunk = os.read(reading, 1 << 16) if ready else b""
        if not chunk:
            break
        data += chunk
    if not ready:
        os.kill(child, 9)
    os.close(reading)
    _, status = os.waitpid(child, 0)
    errors = [json.loads(line) for line in data.decode().splitlines()]
    if len(errors) < len(paths):
        # What came before may be to blame: a library that fails is judged in a copy that has loaded nothing else.
        if errors:
            return [{"path": path, "error": error} for path, error in zip(paths, errors)]
        errors.append(f"loading it ends the process with signal {status & 0x7F}" if ready else "loading it hangs")
    return [{"path": path, "error": error} for path, error in zip(paths, errors)]


if __name__ == "__main__":
    given = json.load(sys.stdin)
    answer = {"origins": origins, "imports": imports}[given["do"]](given)
    sys.stdout.write("\n" + json.dumps(answer) + "\n")
    sys.stdout.flush()
    # Libraries that are half initialized must not have a say in how this ends.
    os._exit(0)
