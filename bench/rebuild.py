"""What it costs to move AITER's pin: steps that run again, ours and in the order of SGLang's own Dockerfile.

Measured, on trace builds (commands are recorded, not executed; see docs/trace.md): which steps of our Dockerfiles run.
Modelled: SGLang's docker/rocm.Dockerfile, of which only the order of its final stage's instructions is used, as it was
with the header v0.5.17 (2026-08). Each of its RUNs stands here as one that does nothing; the engine then says which
run again. Steps are counted, not weighed: the hours are in those that compile.

Also: a cold and a warm trace of every production cell.
"""

from __future__ import annotations

import shlex
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests/integration/trace"))

from tracing import IMAGES
from tracing.build import Tracer, made_by, production_cells
from tracing.rebuild import known, ran
from tracing.stub import StubBases

from rocmimg.engine import BuildRequest, Event, StepFinished, connect
from rocmimg.engine.client import Engine
from rocmimg.matrix import load
from rocmimg.plan import make_plan
from rocmimg.plan.changed import after_change_of

PIN = "components.aiter.ref=0123456789abcdef0123456789abcdef"
# Whose RUNs compile for minutes to hours.
THEIR_COMPILES = ("AITER build", "Mooncake", "sgl-kernel", "gateway", "TileLang", "Hadamard", "MoRI", "UCX and NIXL")
OUR_COMPILES = (
    "aiter",
    "mooncake",
    "sgl-kernel",
    "sgl-gateway",
    "tilelang",
    "fast-hadamard-transform",
    "mori",
    "ucx",
    "nixl",
    "pytorch",
    "triton",
    "torchvision",
    "torchaudio",
    "flash-attention",
    "vllm",
    "llvm",
)
# The RUNs of the final stage, in order. AITER_COMMIT becomes a variable of the stage right after the first one, so that
# it is part of every later step's environment.
THEIR_FIRST = ("stamp of the arch",)
THEIR_STEPS = (
    "apt hardening",
    "amdgpu.ids",
    "pip",
    "purge of sccache",
    "amdsmi",
    "torch upgrade",
    "constraints",
    "LLVM",
    "uninstall AITER",
    "AITER clone",
    "AITER build",
    "AITER patch",
    "Mooncake",
    "Python packages",
    "Rust",
    "uninstall SGLang",
    "sgl-kernel",
    "constraints for SGLang",
    "SGLang",
    "purge of pip's cache",
    "validation",
    "MI300X_VF",
    "gateway",
    "locale",
    "TileLang",
    "Hadamard",
    "Python tools",
    "MoRI",
    "UCX and NIXL",
    "torch patch, written",
    "torch patch, applied",
    "transformers patch",
    "Triton",
    "torch METADATA",
)


def theirs(base: str, *, as_variable: bool) -> str:
    """The model; without ``as_variable`` the pin is seen by AITER's own steps alone, which their file could have."""
    lines = [f"FROM {base}"]
    lines += [f"RUN : {shlex.quote(name)}" for name in THEIR_FIRST]
    if as_variable:
        lines += ["ARG AITER_COMMIT", "ENV AITER_COMMIT=$AITER_COMMIT"]
    for name in THEIR_STEPS:
        if name == "AITER clone" and not as_variable:
            lines += ["ARG AITER_COMMIT", "ENV AITER_COMMIT=$AITER_COMMIT"]
        lines.append(f"RUN : {shlex.quote(name)}")
    return "\n".join(lines) + "\n"


def run_theirs(engine: Engine, base: str, fresh: str, *, as_variable: bool) -> list[StepFinished]:
    """The steps of the second of two builds that differ in the pin."""
    for pin in (f"before-{fresh}", f"after-{fresh}"):
        events: list[Event] = []
        request = BuildRequest(dockerfile=theirs(base, as_variable=as_variable), build_args={"AITER_COMMIT": pin})
        engine.remove(engine.build(request, events.append).image_id)
    return [event for event in events if isinstance(event, StepFinished)]


def main() -> None:
    cells = production_cells(IMAGES)
    wrong = []
    with connect() as engine:
        salt = Tracer.fresh()
        stubs = StubBases(engine, salt)
        tracer, again = Tracer(engine, stubs, IMAGES), Tracer(engine, stubs, IMAGES)
        try:
            print(f"Trace builds of all {len(cells)} production cells, one after the other")
            for name, one in (("cold, stub bases included", tracer), ("warm", again)):
                began = time.perf_counter()
                steps = sum(sum(ran(one.build(cell.id).steps).values()) for cell in cells)
                print(f"  {name:28} {time.perf_counter() - began:6.1f} s, {steps} steps ran", flush=True)
            print("\nAnother pin of AITER: steps that run again, of all steps; compiling stages that run again")
            matrix = load(IMAGES)
            for cell in cells:
                if not made_by(cell, "aiter"):
                    continue
                # A pin of its own for each cell: what another cell has built would come from the cache.
                built = tracer.build(cell.id, PIN + Tracer.fresh())
                mine = ran(built.steps)
                (*_, said) = after_change_of(make_plan(matrix, [cell.id]), ["aiter"])
                compiles = [stage for stage in mine if stage in OUR_COMPILES]
                total = sum(known(built.steps).values())
                where = " + ".join(f"{stage} {count}" for stage, count in sorted(mine.items()))
                print(
                    f"  {cell.id:24} {sum(mine.values()):3} of {total:3}   {', '.join(compiles)}   ({where})",
                    flush=True,
                )
                if not set(mine) <= set(said.stages):
                    wrong.append(f"{cell.id}: ran {sorted(mine)}, `plan --changed` says {sorted(said.stages)}")
            base = stubs.reference(cells[0].config.base.image)
            for name, as_variable in (("SGLang's order, as it is", True), ("  with the pin where used", False)):
                steps_run = run_theirs(engine, base, salt, as_variable=as_variable)
                count, total = sum(ran(steps_run).values()), sum(known(steps_run).values())
                names = [step.name for step in steps_run if not step.cached]
                compiles = [one for one in THEIR_COMPILES if any(one in step for step in names)]
                print(f"  {name:24} {count:3} of {total:3}   {', '.join(compiles)}")
        finally:
            tracer.close()
            again.close()
            stubs.remove_salted()
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
