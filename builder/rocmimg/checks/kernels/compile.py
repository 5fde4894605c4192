"""Compiles the kernels inside an image with the image's own compilers, for a GPU that need not be there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from rocmimg.checks.backend import host_of, outcome
from rocmimg.checks.kernels.cases import CASES, Case
from rocmimg.checks.kernels.examine import ISAS, Attempt, Product, examine
from rocmimg.engine.context import ContextFile

if TYPE_CHECKING:
    from rocmimg.checks.kernels.pack import Language
    from rocmimg.engine import Container, ExecResult

FOLDER: Final = "/tmp/rocmimg-kernels"  # noqa: S108
INSIDE: Final = f"{FOLDER}/inside"
"""The folder of scripts, which Python runs with a script's name as the first argument."""
LIMIT_S: Final = 180.0
"""For one run of a compiler."""
OUTPUT_LIMIT: Final = 64 << 20
"""Bytes that one command may write."""
_LAST: Final = 1500
_HIPCC: Final = ("-O3", "--offload-device-only", "--no-gpu-bundle-output", "-Wno-unused-command-line-argument")
# hipcc's own LLVM comes first; Debian keeps its tools beside clang, ROCm below /opt/rocm.
_FIND: Final = """\
command -v hipcc || ls /opt/rocm/bin/hipcc 2>/dev/null || echo
for place in "$(hipconfig --hipclangpath 2>/dev/null)" /opt/rocm/llvm/bin /opt/rocm/lib/llvm/bin /usr/lib/llvm-*/bin
do [ -x "$place/llvm-objdump" ] && echo "$place/llvm-objdump" && exit; done
command -v llvm-objdump || echo
"""


def prepare(container: Container) -> None:
    """Put the sources and scripts into the container. Raises EngineError."""
    inside = resources.files("rocmimg.checks.kernels.inside")
    # The image's user makes the folder, so that the compilers, who are that user, may write into it.
    _run(container, ["mkdir", "-p", FOLDER])
    files = [(f"inside/{file.name}", file) for file in inside.iterdir() if file.name.endswith(".py")]
    files += [(f"{name}.hip", inside / "hip" / f"{name}.hip") for name in CASES]
    container.put(FOLDER, [ContextFile(path=name, data=source.read_bytes()) for name, source in files])


def compile_hip(container: Container, archs: Sequence[str]) -> Iterator[Attempt]:
    """Every kernel for every architecture with the image's hipcc. Raises EngineError."""
    found = _run(container, ["/bin/sh", "-c", _FIND]).stdout.decode().splitlines()
    hipcc, objdump = [*found, "", ""][:2]
    version = _run(container, [hipcc, "--version"]) if hipcc else None
    compiler = version.stdout.decode().partition("\n")[0] if version else ""
    for arch in archs:
        for case in CASES.values():
            skipped = _not_for(arch) or ("" if hipcc else "the image has no hipcc")
            if not skipped and case.matrix and not ISAS[arch].mfma:
                skipped = f"{arch} has no MFMA instructions, with which this kernel is written"
            if skipped:
                yield Attempt(language="hip", case=case, arch=arch, skipped=skipped)
            else:
                yield _hipcc(container, case, arch, hipcc, objdump, compiler)


def _hipcc(container: Container, case: Case, arch: str, hipcc: str, objdump: str, compiler: str) -> Attempt:
    code = f"{FOLDER}/hip-{arch}-{case.name}.hsaco"
    done = _run(container, [hipcc, *_HIPCC, f"--offload-arch={arch}", f"{FOLDER}/{case.name}.hip", "-o", code])
    if done.timed_out or done.exit_code:
        return _failed("hip", case, arch, "hipcc", done)
    listing = _run(container, [objdump, "--disassemble", f"--mcpu={arch}", code]) if objdump else None
    return examine(
        Product(
            language="hip",
            case=case,
            arch=arch,
            compiler=compiler,
            code=_read(container, code),
            assembly=listing.stdout.decode(errors="replace") if listing and not listing.exit_code else "",
            threads=case.threads,
            shared_bytes=0,
        )
    )


def compile_triton(container: Container, archs: Sequence[str], python: str) -> Iterator[Attempt]:
    """Every kernel for every architecture with the Triton of the image's Python. Raises EngineError."""
    for arch in archs:
        if skipped := _not_for(arch):
            yield from (Attempt(language="triton", case=case, arch=arch, skipped=skipped) for case in CASES.values())
            continue
        out = f"{FOLDER}/triton-{arch}"
        target = f"hip:{arch}:{ISAS[arch].wavefront}"
        # A cache of its own: neither does an old entry stand in for the compiler, nor does the image change.
        cache = {"TRITON_CACHE_DIR": f"{FOLDER}/cache"}
        done = _run(container, [python, INSIDE, "triton_aot", "--target", target, "--out", out], cache)
        events = [json.loads(line) for line in done.stdout.decode().splitlines() if line.startswith("{")]
        unavailable = next((e["reason"] for e in events if e["event"] == "unavailable"), "")
        results = {e["id"]: e for e in events if e["event"] == "result"}
        for case in CASES.values():
            if unavailable:
                yield Attempt(language="triton", case=case, arch=arch, skipped=unavailable)
            elif (result := results.get(case.name)) is None:
                yield _failed("triton", case, arch, "Triton", done)
            elif result["status"] != "passed":
                yield Attempt(
                    language="triton",
                    case=case,
                    arch=arch,
                    problem="Triton does not compile it",
                    output=result["reason"][-_LAST:],
                )
            else:
                yield _from_triton(container, case, arch, out, result)


def _from_triton(container: Container, case: Case, arch: str, out: str, result: dict[str, Any]) -> Attempt:
    return examine(
        Product(
            language="triton",
            case=case,
            arch=arch,
            compiler=f"Triton {result['version']}",
            code=_read(container, f"{out}/{case.name}.hsaco"),
            assembly=_read(container, f"{out}/{case.name}.asm").decode(),
            threads=result["warps"] * ISAS[arch].wavefront,
            shared_bytes=result["shared_bytes"],
        )
    )


def _not_for(arch: str) -> str:
    return "" if arch in ISAS else f"no kernels are written for {arch}"


def _failed(language: Language, case: Case, arch: str, compiler: str, done: ExecResult) -> Attempt:
    problem = (
        f"{compiler} hangs: ended after {LIMIT_S:.0f} s" if done.timed_out else f"{compiler} exits {done.exit_code}"
    )
    output = (done.stderr or done.stdout).decode(errors="replace").strip()[-_LAST:]
    return Attempt(language=language, case=case, arch=arch, problem=problem, output=output)


def _run(container: Container, argv: Sequence[str], env: Mapping[str, str] | None = None) -> ExecResult:
    return outcome(host_of(container, timeout=LIMIT_S, output_limit=OUTPUT_LIMIT, env=env), argv)


def _read(container: Container, path: str) -> bytes:
    content: bytes = host_of(container, timeout=LIMIT_S, output_limit=OUTPUT_LIMIT).file(path).content
    return content
