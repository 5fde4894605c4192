"""How fast a contract is, cold and warm, and against the least that a tool without an object store has to do.

The peer unpacks the AITER package of the same commit from git and parses every file of it and every file of the
framework that mentions AITER, and answers nothing. ``ROCMIMG_TEST_AITER`` names AITER's repository, a path; SGLang
comes from the package index once and is kept in the cache.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from measure import ROCMIMG, in_turn

from rocmimg.paths import cache_dir

RUNS = 3
PEER = """
import ast, pathlib, subprocess, sys, tempfile, zipfile
repository, pin, wheel = sys.argv[1:]
with tempfile.TemporaryDirectory() as folder:
    archive = subprocess.run(["git", "-C", repository, "archive", pin, "aiter"], check=True, capture_output=True)
    subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
    for path in pathlib.Path(folder).rglob("*.py"):
        ast.parse(path.read_bytes())
with zipfile.ZipFile(wheel) as files:
    for name in files.namelist():
        if name.endswith(".py") and b"aiter" in (text := files.read(name)):
            ast.parse(text)
"""
PAIRS = (("0.5.10", "v0.1.11.post1"), ("0.5.17", "c16d44b93a528b2a4bfd6d8d3409116d465872a9"))
CAPABILITY = "aiter.ops.fused_qk_norm_rope_cache_quant.fused_qk_rmsnorm"
MATRIX = """\
targets:
  sgl:
    gpu_archs: [gfx942, gfx950]
    base: rocm/pytorch:rocm7.2
    variants: {{ {variants} }}
    components:
      aiter: {{repo: "{repository}", ref: v0.1.11.post1}}
      sglang: {{source: "local:sglang"}}
      rust: {{}}
"""


def wheel(version: str) -> Path | None:
    """SGLang's wheel, from the cache or the package index; None where neither has it."""
    folder = cache_dir() / "test-wheels"
    folder.mkdir(parents=True, exist_ok=True)
    if not any(folder.glob(f"sglang-{version}-*.whl")):
        words = ["download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", str(folder)]
        subprocess.run([sys.executable, "-m", "pip", *words, f"sglang=={version}"], check=False, capture_output=True)
    return next(folder.glob(f"sglang-{version}-*.whl"), None)


def cold(command: list[str]) -> list[str]:
    """The command with a cache that is empty every time."""
    return ["sh", "-c", 'd=$(mktemp -d); ROCMIMG_CACHE=$d "$@"; e=$?; rm -r "$d"; exit $e', "cold", *command]


def pairs(repository: str) -> None:
    """One pair, cold and warm, against the peer."""
    for version, pin in PAIRS:
        framework = wheel(version)
        if framework is None:
            print(f"contract: not run: SGLang {version} cannot be downloaded")
            continue
        command = [*ROCMIMG, "contract", "--framework", str(framework), "--source", f"aiter={repository}@{pin}"]
        label = f"SGLang {version}, AITER {pin[:12]}"
        commands = {
            f"{label}: cold": cold(command),
            f"{label}: warm": command,
            f"{label}: unpack and parse only": [sys.executable, "-c", PEER, repository, pin, str(framework)],
        }
        at_cold, at_warm, peer = in_turn(commands, RUNS).values()
        print(f"contract: {at_cold / peer:.2f} times the peer's time cold, {at_warm / peer:.2f} warm")
    print(f"contract: at most {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024:.0f} MB in any process")


def windows(repository: str) -> None:
    """A capability over all releases."""
    command = [*ROCMIMG, "contract", "window", CAPABILITY, "--source", f"aiter={repository}"]
    in_turn({"window over all releases: cold": cold(command), "window over all releases: warm": command}, RUNS)


def matrix(repository: str) -> None:
    """Eighteen cells, equal pins among them, warm."""
    framework = wheel("0.5.10")
    if framework is None:
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run([sys.executable, "-m", "zipfile", "-e", str(framework), str(folder / "sglang")], check=True)
        variants = ", ".join(f"v{n}: {{}}" for n in range(8))
        (folder / "images.yaml").write_text(MATRIX.format(repository=repository, variants=variants))
        in_turn({"all cells of a matrix of 18: warm": [*ROCMIMG, "contract"]}, RUNS, folder)


def main() -> None:
    """Print every figure; none where AITER's repository is not there."""
    repository = os.environ.get("ROCMIMG_TEST_AITER", "")
    if not repository or not any(Path(repository, name).exists() for name in ("HEAD", ".git")):
        print("contract: not run: ROCMIMG_TEST_AITER names no AITER repository on this machine")
        return
    pairs(repository)
    windows(repository)
    matrix(repository)


if __name__ == "__main__":
    main()
