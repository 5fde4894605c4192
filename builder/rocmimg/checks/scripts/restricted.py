"""Run inside a restricted container: who am I, where may caches be written, and what can be imported.

``python -c TEXT JOB``, JOB being a JSON object: modules, and distributions whose modules are meant. The last line of
standard output is the answer.
"""

from __future__ import annotations

import getpass
import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from typing import Any, Callable

_IMPORT_LIMIT_S = 240
_HOME = os.path.expanduser("~")
_CACHE = os.environ.get("XDG_CACHE_HOME") or os.path.join(_HOME, ".cache")
_CONFIG = os.environ.get("XDG_CONFIG_HOME") or os.path.join(_HOME, ".config")


def _inductor(_: str) -> str:
    try:
        return os.path.join(tempfile.gettempdir(), "torchinductor_" + getpass.getuser())
    except (KeyError, OSError):
        return tempfile.gettempdir()  # that the user has no name is told by itself


def _aiter(folder: str) -> str:
    own = os.path.join(folder, "jit") if folder else ""
    return own if own and os.access(own, os.W_OK) else os.path.join(_HOME, ".aiter")


def _below(*parts: str) -> Callable[[str], str]:
    return lambda _: os.path.join(*parts)


# what, variable, default, the package whose presence makes it matter; an empty one always does
_FOLDERS: tuple[tuple[str, str, Callable[[str], str], str], ...] = (
    ("the home folder", "HOME", _below(_HOME), ""),
    ("the cache folder", "XDG_CACHE_HOME", _below(_CACHE), ""),
    ("Triton's cache", "TRITON_CACHE_DIR", _below(os.environ.get("TRITON_HOME") or _HOME, ".triton"), "triton"),
    ("Inductor's cache", "TORCHINDUCTOR_CACHE_DIR", _inductor, "torch"),
    ("AITER's compiled modules", "AITER_JIT_DIR", _aiter, "aiter"),
    ("Hugging Face's cache", "HF_HOME", _below(_CACHE, "huggingface"), "huggingface_hub"),
    ("vLLM's cache", "VLLM_CACHE_ROOT", _below(_CACHE, "vllm"), "vllm"),
    ("vLLM's configuration", "VLLM_CONFIG_ROOT", _below(_CONFIG, "vllm"), "vllm"),
    ("TileLang's cache", "TILELANG_CACHE_DIR", _below(_HOME, ".tilelang"), "tilelang"),
    ("FlyDSL's cache", "FLYDSL_RUNTIME_CACHE_DIR", _below(_HOME, ".flydsl"), "flydsl"),
    ("Matplotlib's configuration", "MPLCONFIGDIR", _below(_CONFIG, "matplotlib"), "matplotlib"),
)


def _writable(path: str) -> bool:
    """Whether the folder, or the nearest one above it that is there, may be written to."""
    while not os.path.isdir(path) and path not in ("", "/"):
        path = os.path.dirname(path)
    try:
        with tempfile.TemporaryFile(dir=path):
            return True
    except OSError:
        return False


def _folder(package: str) -> str | None:
    """Where a package lies; None where it is not installed."""
    try:
        spec = importlib.util.find_spec(package)
    except Exception:
        return None
    if spec is None:
        return None
    return os.path.dirname(spec.origin) if spec.origin else ""


def _folders() -> list[dict[str, Any]]:
    found = []
    for what, variable, default, package in _FOLDERS:
        folder = _folder(package) if package else ""
        if folder is not None:
            path = os.environ.get(variable) or default(folder)
            found.append({"what": what, "variable": variable, "path": path, "writable": _writable(path)})
    return found


def _import(name: str) -> dict[str, str]:
    code = "import importlib, sys; importlib.import_module(sys.argv[1])"
    try:
        done = subprocess.run(
            [sys.executable, "-c", code, name],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=_IMPORT_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"error": f"hangs: ended after {_IMPORT_LIMIT_S} s", "trace": ""}
    if done.returncode == 0:
        return {"error": "", "trace": ""}
    trace = done.stderr.decode("utf-8", "replace")[-2000:]
    lines = trace.strip().splitlines()
    return {"error": lines[-1] if lines else f"exit code {done.returncode}", "trace": trace}


def _modules_of(distribution: str) -> list[str]:
    """What a distribution installs at the top: names that can be imported; none where it is not there."""
    try:
        files = importlib.metadata.files(distribution) or []
    except importlib.metadata.PackageNotFoundError:
        return []
    names: dict[str, None] = {}
    for file in files:
        first, _, rest = str(file).partition("/")
        if rest == "__init__.py" or (not rest and first.endswith(".py")):
            names[first[:-3] if not rest else first] = None
    return [name for name in names if name.isidentifier() and not name.startswith("_")]


def _user() -> str:
    """Why the user has no name; empty where it has one."""
    try:
        getpass.getuser()
    except (KeyError, OSError) as error:
        return f"{type(error).__name__}: {error}"
    return ""


if __name__ == "__main__":
    job = json.loads(sys.argv[1])
    wanted = dict.fromkeys(job["modules"])
    for one in job["distributions"]:
        wanted.update(dict.fromkeys(_modules_of(one)))
    answer = {
        "user": _user(),
        "folders": _folders(),
        "imports": {name: _import(name) for name in wanted},
    }
    sys.stdout.write("\n" + json.dumps(answer) + "\n")
