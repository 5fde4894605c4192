"""What a fresh interpreter does: run with ``python -c``, as users run it, so that its working directory counts.

Its arguments are the numbers of two open files: a pipe for the answer, and the job; both JSON. This file stands alone.
"""

from __future__ import annotations

import sys

# A json.py in the working directory must not stop the messenger; that it hides Python's own is told elsewhere.
_path = sys.path[:]
_own = [entry for entry in sys.path if entry.rstrip("/").rpartition("/")[2].startswith("python3.")]
_own += [entry for entry in sys.path if entry.endswith(("/lib-dynload", ".zip"))]
sys.path[:] = _own or sys.path

import importlib  # noqa: E402
import importlib.util  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import platform  # noqa: E402
import re  # noqa: E402
import select  # noqa: E402
import time  # noqa: E402
import traceback  # noqa: E402
from typing import Any  # noqa: E402

sys.path[:] = _path

_ITEM_LIMIT_S = 30.0
_TRIED_AGAIN = 200
_ROCM = re.compile(
    r"/lib(amd_smi|rocm_smi64|amdhip64|hsa-runtime64|rccl|rocblas|hipblaslt|hipblas|MIOpen|amd_comgr|drm_amdgpu|roctx64|"
    r"hiprtc|rocsolver|rocsparse|rocfft)[-.]"
)


def start(_: dict[str, Any]) -> dict[str, Any]:
    """What this interpreter is, once it has started as users start it."""
    release = (
        f"{sys.implementation.version.major}.{sys.implementation.version.minor}.{sys.implementation.version.micro}"
    )
    return {
        "version": platform.python_version(),
        "executable": sys.executable,
        "prefix": sys.prefix,
        "path": sys.path[1:] if sys.path[:1] == [""] else sys.path,
        "start": [getattr(sys.modules.get(name), "__file__", None) for name in ("sitecustomize", "usercustomize")],
        "markers": {
            "implementation_name": sys.implementation.name,
            "implementation_version": release,
            "os_name": os.name,
            "platform_machine": platform.machine(),
            "platform_release": platform.release(),
            "platform_system": platform.system(),
            "platform_version": platform.version(),
            "python_full_version": platform.python_version(),
            "platform_python_implementation": platform.python_implementation(),
            "python_version": ".".join(platform.python_version_tuple()[:2]),
            "sys_platform": sys.platform,
        },
    }


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
    if "folder" in job:
        sys.path[0] = job["folder"]
    modules: dict[str, Any] = {}
    for name in job["modules"]:
        if name in job.get("optional", ()) and not _there(name):
            continue
        modules[name] = _import(name, job.get("requires", {}).get(name, []))
    return {
        "modules": modules,
        "torch": "torch" in sys.modules,
        "maps": _maps(),
        "loads": _loads(job),
    }


def _there(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


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
    """[path, device and inode] of ROCm's shared objects in this process."""
    found: dict[str, str] = {}
    with open("/proc/self/maps") as file:
        for line in file:
            parts = line.split(None, 5)
            if len(parts) == 6 and _ROCM.search(parts[5]):  # noqa: PLR2004
                found[parts[5].strip()] = parts[3] + ":" + parts[4]
    return [[path, inode] for path, inode in sorted(found.items())]


def _loads(job: dict[str, Any]) -> Any:
    try:
        return _load_all(job.get("libraries", []), job.get("load_limit", 0.0))
    except ImportError as error:
        return {"error": f"this Python cannot load libraries by path: {error}"}


def _load_all(paths: list[str], limit: float) -> list[dict[str, Any]]:
    """Load each library with all its symbols bound, in a copy of this process; a crash costs the copy only."""
    results: list[dict[str, Any]] = []
    deadline = time.monotonic() + limit
    while len(results) < len(paths):
        if time.monotonic() > deadline:
            late = f"not tried: the others took {limit:.0f} s"
            results += [{"path": path, "error": "", "skipped": late} for path in paths[len(results) :]]
            break
        results += _load_some(paths[len(results) :], deadline)
    # What was loaded before may be to blame: what fails is tried once more in a copy that has loaded nothing else.
    for one in [one for one in results if one["error"] and not one.get("skipped")][:_TRIED_AGAIN]:
        if time.monotonic() < deadline:
            one["error"] = _load_some([one["path"]], deadline)[0]["error"]
    return results


def _load_some(paths: list[str], deadline: float) -> list[dict[str, Any]]:
    """The outcome of the first of ``paths`` at least, of as many as one copy survives."""
    import ctypes

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
                if time.monotonic() > deadline:
                    break
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
    _answer, _job = int(sys.argv[1]), int(sys.argv[2])
    with os.fdopen(_job, "rb") as _file:
        given = json.loads(_file.read())
    sys.argv = ["-c"]
    _result = json.dumps({"start": start, "origins": origins, "imports": imports}[given["do"]](given)).encode()
    while _result:
        _result = _result[os.write(_answer, _result) :]
    # What start-up files print is in a buffer, and is seen by users when Python ends.
    sys.stdout.flush()
    # Libraries that are half initialized must not have a say in how this ends.
    os._exit(0)
