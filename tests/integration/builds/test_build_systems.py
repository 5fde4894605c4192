"""Real small builds behind the compiler cache, one a build system: the second build takes everything from the cache.

Opt-in, for it needs the lab's base, an index and Debian's packages: ROCMIMG_TEST_CACHES=ccache,sccache. With
ROCMIMG_TEST_CACHES_STORE=redis://... a third round has its compiled code in that store alone.
"""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import Any

import pytest

from rocmimg.engine import ContainerSpec

ASKED = os.environ.get("ROCMIMG_TEST_CACHES", "")
STORE = os.environ.get("ROCMIMG_TEST_CACHES_STORE", "")
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
    "crate/Cargo.toml": (
        '[package]\nname = "p"\nversion = "0.1.0"\nedition = "2021"\n[profile.dev]\nincremental = false\n'
    ),
    "crate/src/lib.rs": "pub fn hello() -> u32 { 42 }\n",
    "torchproject/setup.py": (
        "import os\nimport torch\ntorch.version.hip = '6.4.0'\nos.environ.setdefault('ROCM_HOME', '/usr')\n"
        "from torch.utils import cpp_extension\n"
        "from setuptools import setup\n"
        "made = cpp_extension.CUDAExtension('p', ['kernel.hip', 'plain.cc'])\n"
        "made.libraries = ['amdhip64']\n"
        "setup(name='p', version='1', ext_modules=[made], cmdclass={'build_ext': cpp_extension.BuildExtension})\n"
    ),
    "torchproject/kernel.hip": KERNEL,
    "torchproject/plain.cc": PLAIN,
}
COMMANDS = {
    "hip": "hipcc --offload-arch=gfx942 -fPIC -c kernel.hip -o /out/hip.o",
    "cmakehip": (
        "cmake -S . -B /tmp/c -G Ninja -DCMAKE_HIP_ARCHITECTURES=gfx942 -DCMAKE_HIP_COMPILER_ROCM_ROOT=/usr "
        "&& cmake --build /tmp/c && cp /tmp/c/CMakeFiles/k.dir/*.o /out"
    ),
    "mesonproject": "meson setup /tmp/m && meson compile -C /tmp/m && cp /tmp/m/libp.so /out",
    "setuptoolsproject": "python3 setup.py -q build_ext --build-lib /out --build-temp /tmp/s",
    "crate": "cargo build --offline --target-dir /tmp/r && cp /tmp/r/debug/libp.rlib /out",
    "torchproject": "PYTORCH_ROCM_ARCH=gfx942 python3 setup.py -q build_ext --build-lib /out/torch --build-temp /tmp/t",
}
COMPILED = {"hip": 1, "cmakehip": 2, "mesonproject": 1, "setuptoolsproject": 1, "crate": 1, "torchproject": 2}
"""What each compiles; a project asks its compiler more than that."""
PACKAGES = {"cmake": "==3.31.10", "ninja": "==1.13.0", "meson": "==1.9.1", "setuptools": "<81"}


def template(systems: list[str]) -> str:
    steps = "".join(
        "{% call m.run(network=false, compiles=true) %}\n"
        f": {{{{ options.n }}}} && mkdir -p /out && cd /src/{name} && {COMMANDS[name]}\n"
        "{% endcall %}\n"
        for name in systems
    )
    return (
        '{% extends "components/component.j2" %}\n'
        "{% block source %}\nCOPY {{ source_folder|word }} /src\n{% endblock %}\n"
        f"{{% block build %}}\n{steps}{{% endblock %}}\n"
        "{% block install %}\nCOPY --from=systems /out /out\n{% endblock %}\n"
    )


@pytest.fixture
def systems(project: Any) -> tuple[Any, list[str]]:
    names = [name for name in COMMANDS if name in os.environ.get("ROCMIMG_TEST_SYSTEMS", ",".join(COMMANDS)).split(",")]
    made = project("")
    folder: Path = made.folder
    for path, text in FILES.items():
        (folder / "sources" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "sources" / path).write_text(text)
    packages = PACKAGES | ({"torch": ">=2.6"} if "torchproject" in names else {})
    described = {
        "sources": ["local"],
        "options": {"n": {"type": "int", "default": 0, "help": "Makes the steps other ones"}},
        "apt": {"build": ["build-essential", *(["cargo"] if "crate" in names else [])]},
        "build_pip": packages,
    }
    made.recipe("systems", "", **described)
    (folder / "templates/components/systems.j2").write_text(template(names))
    return made, names


@pytest.mark.parametrize("tool", ["ccache", "sccache"])
def test_the_second_build_takes_all_from_the_cache(systems: Any, host_engine: Any, tool: str) -> None:
    if tool not in ASKED.split(","):
        pytest.skip(f"not run: ROCMIMG_TEST_CACHES={tool}")
    made, names = systems
    salt = uuid.uuid4().hex[:12]
    matrix = f"""
targets:
  t:
    image: rocmimg-test/systems
    gpu_archs: [gfx942]
    base: {BASE}
    cache: {{compiler: {tool}, namespace: %s}}
    components: {{systems: {{source: "local:sources", options: {{n: %d}}}}}}
"""

    def built(n: int, namespace: str, *options: str, **env: str) -> tuple[dict[str, Any], str]:
        (made.folder / "images.yaml").write_text(matrix % (namespace, n))
        (row,) = made.json("build", "--no-contract", *options, **env)
        assert row["status"] == "built", row["error"]
        found = {}
        for step in row["steps"]:
            for name in names:
                if f"cd /src/{name} " in step["command"]:
                    found[name] = step["compiler_cache"]
        with host_engine.run(ContainerSpec(image=row["image_id"])) as inside:
            sums = inside.exec(["sh", "-c", "cd /out && find . -type f | sort | xargs sha256sum"], timeout=60).stdout
        return found, sums.decode()

    rounds = [("disk", f"test-{salt}", {})]
    if STORE and tool == "sccache":
        rounds.append(("store", f"other-{salt}", {"SCCACHE_REDIS_ENDPOINT": STORE}))
    plain, without = built(1, f"none-{salt}", "--set", "cache.compiler=none")
    print(f"\nno cache: {plain}")
    for where, namespace, env in rounds:
        cold, first = built(2, namespace, **env)
        warm, second = built(3, namespace, **env)
        for name in names:
            print(f"{tool} {where} {name}: cold {cold[name]}, second {warm[name]}")
        lines = (text.splitlines() for text in (without, first, second))
        differ = {one[0].split()[1] for one in zip(*lines, strict=True) if len(set(one)) > 1}
        print(f"{tool} {where}: other bytes than without the cache: {sorted(differ) or 'none'}")
        for name in names:
            if tool == "ccache" and name == "crate":
                continue
            assert cold[name]["misses"] >= COMPILED[name], (name, cold[name])
            assert warm[name]["hits"] >= COMPILED[name], (name, warm[name])
