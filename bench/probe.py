"""The probe's reading of files against `sha256sum` over the same files: time as a ratio, and memory.

The files are made here: fat binaries with many bundles, and as many small files as a large image has. With a folder as
argument they are that folder's, for instance an unpacked image.
"""

from __future__ import annotations

import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ARCHS = ("gfx90a", "gfx942", "gfx950", "gfx1100")
BUNDLES, CODE, LIBRARIES, SMALL = 2000, 20_000, 8, 30_000
READ = """
import resource, sys
from rocmimg.checks.probe.files import Walk
from rocmimg.checks.probe.tree import Live
found = Walk(Live(sys.argv[1]), {"site": None}).result()
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(found["count"], found["bytes"], sum(1 for one in found["objects"] if one["archs"]), memory // 1024)
"""


def bundle() -> bytes:
    """One offload bundle, padded to a page as linkers do."""
    names = [f"hipv4-amdgcn-amd-amdhsa--{arch}".encode() for arch in ARCHS]
    at = 32 + sum(24 + len(name) for name in names)
    table = b"__CLANG_OFFLOAD_BUNDLE__" + struct.pack("<Q", len(names))
    for i, name in enumerate(names):
        table += struct.pack("<QQQ", at + i * CODE, CODE, len(name)) + name
    data = table + bytes(CODE * len(names))
    return data + bytes(-len(data) % 4096)


def fill(folder: Path) -> None:
    """Make the files."""
    one = bundle()
    for number in range(LIBRARIES):
        with (folder / f"kernels{number}.hipfb").open("wb") as file:
            for _ in range(BUNDLES):
                file.write(one)
    for number in range(SMALL):
        place = folder / f"package{number // 100}"
        place.mkdir(exist_ok=True)
        (place / f"module{number}.py").write_bytes(b"pass\n" * 100)


def main() -> None:
    """Print both times, the ratio and the memory."""
    with tempfile.TemporaryDirectory() as scratch:
        if sys.argv[1:]:
            folder = Path(sys.argv[1])
        else:
            folder = Path(scratch)
            fill(folder)
        hashed = f"find '{folder}' -type f -print0 | xargs -0 sha256sum > /dev/null"
        began = time.perf_counter()
        subprocess.run(["bash", "-c", hashed], check=True)
        theirs = time.perf_counter() - began
        began = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", READ, str(folder)], capture_output=True, text=True, check=True)
        ours = time.perf_counter() - began
    count, size, objects, memory = map(int, done.stdout.split())
    print(f"  {count} files, {size / 1e9:.1f} GB, {objects} with GPU code")
    print(f"  sha256sum {theirs:.1f} s, probe {ours:.1f} s, {memory} MB of memory")
    print(f"  ratio: the probe takes {ours / theirs:.2f} of sha256sum's time")


if __name__ == "__main__":
    main()
