"""Run the kernels of a kernel pack through the HIP runtime and compare them with what they must give.

    python3 run_pack.py PACK [--only ID]... [--api hip]

The file runs in any image and on any GPU node: the standard library of Python 3.8 and libamdhip64 are all it needs.
On standard output one JSON object a line: ``{"event": "start", "id"}`` before a kernel, ``{"event": "result", "id",
"status", "reason", "error", "tolerance", "device", "seconds"}`` after it; so whoever reads it knows which kernel hung
or took the process with it. After an error of the runtime the process ends, and the rest wants a fresh one. A kernel
that does not end within its limit is ended with its process; the traceback on standard error then begins with
"Timeout". ``--api cuda`` makes the same calls to NVIDIA's driver, which takes the same arguments: that is how this
harness can be shown to work where there is no AMD GPU.
"""

from __future__ import annotations

import argparse
import array
import ast
import contextlib
import ctypes
import ctypes.util
import faulthandler
import json
import math
import os
import re
import struct
import sys
import time
import zipfile
from pathlib import Path
from typing import Any, Iterator, Sequence

GUARD = bytes([0xFF]) * 256
"""On either side of each buffer; no kernel may touch it."""
POISON = bytes([0xFF])
"""What outputs are filled with: as bf16, float16, float32 and float64 a NaN."""

LIBRARIES = {"hip": "amdhip64", "cuda": "cuda"}
# What is called here -> its name in each runtime, the newest first.
NAMES: dict[str, dict[str, tuple[str, ...]]] = {
    "hip": {
        "init": ("hipInit",),
        "count": ("hipGetDeviceCount",),
        "use": ("hipSetDevice",),
        "load": ("hipModuleLoadData",),
        "function": ("hipModuleGetFunction",),
        "malloc": ("hipMalloc",),
        "free": ("hipFree",),
        "put": ("hipMemcpyHtoD",),
        "get": ("hipMemcpyDtoH",),
        "launch": ("hipModuleLaunchKernel",),
        "wait": ("hipDeviceSynchronize",),
        "properties": ("hipGetDevicePropertiesR0600", "hipGetDeviceProperties"),
    },
    "cuda": {
        "init": ("cuInit",),
        "count": ("cuDeviceGetCount",),
        "retain": ("cuDevicePrimaryCtxRetain",),
        "use": ("cuCtxSetCurrent",),
        "load": ("cuModuleLoadData",),
        "function": ("cuModuleGetFunction",),
        "malloc": ("cuMemAlloc_v2",),
        "free": ("cuMemFree_v2",),
        "put": ("cuMemcpyHtoD_v2",),
        "get": ("cuMemcpyDtoH_v2",),
        "launch": ("cuLaunchKernel",),
        "wait": ("cuCtxSynchronize",),
        "attribute": ("cuDeviceGetAttribute",),
    },
}
NO_DEVICE = 100  # hipErrorNoDevice, CUDA_ERROR_NO_DEVICE
LIMIT_S = 60
"""For one kernel, the start of the runtime included."""
BUFFER_POINTER, BUFFER_SIZE, BUFFER_END = 1, 2, {"hip": 3, "cuda": 0}
CUDA_MAJOR, CUDA_MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_*


class NotRun(Exception):
    """The kernel could not be tried here; the message says why."""


class Wrong(Exception):
    """The kernel was tried and is wrong."""


class Broken(Wrong):
    """The runtime refused a call, as it does all that follow a fault: this process is of no more use."""


class Runtime:
    """The few calls of HIP's module interface. Each raises Broken on an error code."""

    def __init__(self, api: str) -> None:
        self.api = api
        self._library = find_library(api)
        code = self._function("init")(ctypes.c_uint(0))
        count = ctypes.c_int(0)
        if not code:
            code = self._function("count")(ctypes.byref(count))
        if code == NO_DEVICE or (not code and not count.value):
            raise NotRun(no_gpu(api))
        self._check("init", code)
        self.archs = [self._arch(device) for device in range(count.value)]

    def _function(self, name: str) -> Any:
        for symbol in NAMES[self.api][name]:
            if hasattr(self._library, symbol):
                return getattr(self._library, symbol)
        raise NotRun(f"the GPU runtime has no {NAMES[self.api][name][0]}")

    def _check(self, name: str, code: int) -> None:
        if not code:
            return
        text = f"error {code}"
        if self.api == "hip":
            self._library.hipGetErrorString.restype = ctypes.c_char_p
            text += ", " + (self._library.hipGetErrorString(code) or b"").decode(errors="replace")
        raise Broken(f"{NAMES[self.api][name][0]}: {text}")

    def call(self, name: str, *args: Any) -> None:
        self._check(name, self._function(name)(*args))

    def _arch(self, device: int) -> str:
        if self.api == "cuda":
            numbers = [ctypes.c_int(0), ctypes.c_int(0)]
            for number, attribute in zip(numbers, (CUDA_MAJOR, CUDA_MINOR)):
                self.call("attribute", ctypes.byref(number), attribute, device)
            return "sm_" + "".join(str(number.value) for number in numbers)
        # The structure differs between versions of HIP; the architecture is the one gfx name in it.
        properties = ctypes.create_string_buffer(16384)
        self.call("properties", properties, device)
        found = re.search(rb"gfx[0-9a-f]{3,}", properties.raw)
        return found.group().decode() if found else "an unnamed GPU"

    def select(self, arch: str) -> None:
        """Use the first device of this architecture."""
        if arch not in self.archs:
            raise NotRun(f"found {', '.join(sorted(set(self.archs)))}, need {arch}")
        device = self.archs.index(arch)
        if self.api == "cuda":
            context = ctypes.c_void_p()
            self.call("retain", ctypes.byref(context), device)
            self.call("use", context)
        else:
            self.call("use", device)

    def load(self, code: bytes, symbol: str) -> ctypes.c_void_p:
        module, function = ctypes.c_void_p(), ctypes.c_void_p()
        self.call("load", ctypes.byref(module), ctypes.c_char_p(code))
        self.call("function", ctypes.byref(function), module, ctypes.c_char_p(symbol.encode()))
        return function

    def allocate(self, content: bytes) -> ctypes.c_uint64:
        """Device memory that holds ``content``."""
        pointer = ctypes.c_uint64(0)
        self.call("malloc", ctypes.byref(pointer), ctypes.c_size_t(len(content)))
        self.call("put", pointer, ctypes.c_char_p(content), ctypes.c_size_t(len(content)))
        return pointer

    def free(self, pointer: ctypes.c_uint64) -> None:
        """An error here would only repeat the one before it."""
        self._function("free")(pointer)

    def read(self, pointer: ctypes.c_uint64, size: int) -> bytes:
        content = ctypes.create_string_buffer(size)
        self.call("get", content, pointer, ctypes.c_size_t(size))
        return content.raw

    def launch(self, function: ctypes.c_void_p, kernel: dict[str, Any], arguments: bytes) -> None:
        """Launch one kernel and wait for its end."""
        size = ctypes.c_size_t(len(arguments))
        buffer = ctypes.create_string_buffer(arguments, len(arguments))
        extra = (ctypes.c_void_p * 5)(
            BUFFER_POINTER, ctypes.addressof(buffer), BUFFER_SIZE, ctypes.addressof(size), BUFFER_END[self.api]
        )
        shape = [ctypes.c_uint(value) for value in (*kernel["grid"], *kernel["block"], kernel["shared_bytes"])]
        self.call("launch", function, *shape, None, None, extra)
        self.call("wait")


def no_gpu(api: str) -> str:
    if api == "cuda":
        return "no NVIDIA GPU"
    if Path("/dev/kfd").exists() and not os.access("/dev/kfd", os.R_OK | os.W_OK):
        return f"no AMD GPU: uid {os.getuid()} may not open /dev/kfd"
    return "no AMD GPU"


def find_library(api: str) -> ctypes.CDLL:
    """The GPU runtime: as the loader finds it, else under /opt/rocm, else in the Python packages that bring it."""
    name = f"lib{LIBRARIES[api]}.so"
    places = [name, ctypes.util.find_library(LIBRARIES[api]) or name, f"{name}.1"]
    places += sorted(map(str, Path("/opt").glob(f"rocm*/lib/{name}*")))
    for folder in filter(None, sys.path):
        for package in ("torch", "_rocm_sdk_core"):
            places += sorted(map(str, Path(folder).glob(f"{package}/lib/{name}*")))
    for place in places:
        with contextlib.suppress(OSError):
            return ctypes.CDLL(place)
    raise NotRun(f"no GPU runtime: {name} is not installed")


def read_npz(path: Path) -> dict[str, bytes]:
    """The arrays of an .npz file, as bytes in C order."""
    arrays = {}
    with zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            data = archive.read(member)
            wide = data[6] >= 2  # noqa: PLR2004 - version 2 of the format has a header of more than 64 KiB
            length = struct.unpack_from("<I" if wide else "<H", data, 8)[0]
            end = (12 if wide else 10) + length
            if ast.literal_eval(data[end - length : end].decode("latin-1"))["fortran_order"]:
                raise Wrong(f"{path}: {member} is in Fortran order")
            arrays[member[: -len(".npy")]] = data[end:]
    return arrays


def decode(dtype: str, data: bytes) -> Sequence[float]:
    """Numbers out of little-endian bytes; bf16 is the upper half of a float32."""
    if dtype == "bf16":
        return array.array("f", b"".join(b"\0\0" + data[i : i + 2] for i in range(0, len(data), 2)))
    return array.array({"f32": "f", "f64": "d"}[dtype], data)


def relative_error(found: Sequence[float], expected: Sequence[float]) -> float:
    """The norm of the difference over the norm of ``expected``. Raises Wrong on a NaN or an infinity."""
    bad = [i for i, value in enumerate(found) if not math.isfinite(value)]
    if bad:
        raise Wrong(f"{len(bad)} of {len(found)} values are NaN, infinite or never written, the first at {bad[0]}")
    above = math.fsum((a - b) ** 2 for a, b in zip(found, expected))
    return math.sqrt(above / math.fsum(value * value for value in expected))


def run_kernel(runtime: Runtime, folder: Path, kernel: dict[str, Any]) -> float:
    """Launch one kernel; its relative error."""
    runtime.select(kernel["arch"])
    function = runtime.load((folder / kernel["code"]).read_bytes(), kernel["symbol"])
    arrays = read_npz(folder / kernel["data"])
    packed = bytearray(kernel["arguments_bytes"])
    buffers = []
    try:
        for argument in kernel["arguments"]:
            if argument["kind"] == "scalar":
                value = struct.pack({"i32": "<i", "f32": "<f"}[argument["dtype"]], argument["value"])
            elif argument["kind"] == "null":
                value = bytes(argument["size"])
            else:
                is_output = argument["kind"] == "output"
                content = POISON * argument["bytes"] if is_output else arrays[argument["name"]]
                pointer = runtime.allocate(GUARD + content + GUARD)
                buffers.append((argument, content, pointer))
                value = struct.pack("<Q", pointer.value + len(GUARD))
            packed[argument["offset"] : argument["offset"] + len(value)] = value
        runtime.launch(function, kernel, bytes(packed))
        return max(judge(runtime, buffers, arrays))
    finally:
        for _, _, pointer in buffers:
            runtime.free(pointer)


def judge(runtime: Runtime, buffers: list[Any], arrays: dict[str, bytes]) -> Iterator[float]:
    """The relative error of each output. Raises Wrong where a kernel wrote what it must not."""
    for argument, content, pointer in buffers:
        after = runtime.read(pointer, len(content) + 2 * len(GUARD))
        inner = after[len(GUARD) : -len(GUARD)]
        if not (after.startswith(GUARD) and after.endswith(GUARD)):
            raise Wrong(f"wrote outside of {argument['name']}")
        if argument["kind"] == "output":
            expected = decode("f64", arrays[f"expected_{argument['name']}"])
            yield relative_error(decode(argument["dtype"], inner), expected)
        elif inner != content:
            raise Wrong(f"overwrote its input {argument['name']}")


def attempt(runtime: Runtime, folder: Path, kernel: dict[str, Any]) -> dict[str, Any]:
    """Status and reason for one kernel."""
    result: dict[str, Any] = {"status": "passed", "reason": "", "error": None, "tolerance": kernel["tolerance"]}
    try:
        result["error"] = error = run_kernel(runtime, folder, kernel)
        result["device"] = kernel["arch"]
        if not error <= kernel["tolerance"]:
            result.update(status="failed", reason=f"relative error {error:.3g}, allowed {kernel['tolerance']:.3g}")
    except NotRun as why:
        result.update(status="not-run", reason=str(why))
    except Wrong as why:
        result.update(status="failed", reason=str(why), broken=isinstance(why, Broken))
    return result


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("pack", type=Path)
    parser.add_argument("--only", action="append")
    parser.add_argument("--api", choices=sorted(NAMES), default="hip")
    parser.add_argument("--limit", type=float, default=LIMIT_S, help="seconds a kernel")
    options = parser.parse_args()
    kernels = json.loads((options.pack / "manifest.json").read_text())["kernels"]
    runtime: Runtime | None = None
    for kernel in kernels:
        if options.only and kernel["id"] not in options.only:
            continue
        print(json.dumps({"event": "start", "id": kernel["id"]}), flush=True)
        begin = time.monotonic()
        faulthandler.dump_traceback_later(options.limit, exit=True)
        try:
            runtime = runtime or Runtime(options.api)
            result = attempt(runtime, options.pack, kernel)
        except (NotRun, Wrong) as why:
            result = {"status": "not-run" if isinstance(why, NotRun) else "failed", "reason": str(why)}
        faulthandler.cancel_dump_traceback_later()
        seconds = round(time.monotonic() - begin, 3)
        print(json.dumps({"event": "result", "id": kernel["id"], "seconds": seconds, **result}), flush=True)
        if result.get("broken"):
            sys.exit(1)


if __name__ == "__main__":
    main()
