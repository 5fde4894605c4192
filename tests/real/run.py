"""`make real`: each component of the production matrix through its own recipe, from mirrors of its real sources.

Every case is one production cell with one component and what that needs, on Debian's ROCm laid out as /opt/rocm and a
CPU torch that says HIP. The report says how far each came: built, configured (the first compiler ran), metadata only,
not possible, or not run.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml
from mirrors import HOST, Mirrors

from rocmimg.builds.observe import CellLog
from rocmimg.engine import BuildCancelled, BuildRequest, StepFailed, connect
from rocmimg.engine.client import Engine
from rocmimg.engine.failure import network_advice
from rocmimg.git_server import GitServer
from rocmimg.matrix import Cell, Matrix, ResolvedComponent, Selection, load, parse_set
from rocmimg.matrix.mirrors import with_served_folders
from rocmimg.plan import ImagePlan, make_plan

ROOT: Final = Path(__file__).parents[2]
HERE: Final = Path(__file__).parent
BASE: Final = "rocmimg-real/base:dev"
IN_BASE: Final = {"pytorch", "torch", "triton", "triton-wheel", "venv", "rocm-sdk", "amdgpu-ids"}
"""Recipes whose result the base has already, or that only put a vendor's packages there."""
HOW_FAR: Final = ("not run", "not possible", "metadata only", "configured", "built")
_COMPILES: Final = re.compile(
    r"REAL-COMPILES \S+ (?!.*(?:CMakeScratch|CMakeTmp|TryCompile|CompilerId|conftest|sanitycheck))"
)
_CONFIGURED: Final = re.compile(
    r"-- Configuring done|config\.status: creating Makefile|Build targets in project|"
    r" building '.*' extension|\[1/\d+\] (?!Cythonizing)",
    re.MULTILINE,
)
_METADATA: Final = re.compile(r"running (?:bdist_wheel|egg_info|dist_info|build_ext)|Preparing metadata .*done")
_COMPILER_ERROR: Final = re.compile(r":\d+(?::\d+)?: (?:fatal )?error: ")
_STEP: Final = re.compile(r"^#?\d* ?\d+\.\d+ ")
_BORING: Final = re.compile(
    r"^\s*$|^\[?notice|^note:|^hint:|^\s*\^|This error originates|did not run successfully|FAILED: step|exit code"
)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One component as one production cell has it."""

    component: ResolvedComponent
    cell: Cell
    sets: tuple[str, ...] = ()
    """The switch of a component that production leaves off."""

    @property
    def id(self) -> str:
        return f"{self.component.name} of {self.cell.target}"


@dataclass(kw_only=True)
class Result:
    """How far a case came."""

    component: str
    cell: str
    ref: str
    how_far: str
    why: str = ""
    seconds: float = 0
    notes: list[str] = field(default_factory=list)


def cases(matrix: Matrix) -> Iterator[Case]:
    """Each component with sources of its own once for each pin that a production cell starts from it.

    Then those that a flag of the cell leaves off: whoever turns it on gets that recipe.
    """
    seen = set()
    for cell, sets in (*((cell, ()) for cell in matrix.cells), *_switched_on(matrix)):
        first = cell
        while first.base_cell:
            first = matrix.cell(first.base_cell)
        if not first.config.base.image or cell.opt_in:
            continue
        for component in cell.components:
            key = (component.recipe.name, str(component.source), component.install)
            if component.recipe.name not in IN_BASE - {"triton"} and component.git and key not in seen:
                seen.add(key)
                yield Case(component=component, cell=cell, sets=sets)


def _switched_on(matrix: Matrix) -> Iterator[tuple[Cell, tuple[str, ...]]]:
    """Cells with one switch on that production leaves off, once for each pin."""
    seen = set()
    for cell in matrix.cells:
        there = {component.name for component in cell.components}
        for name, config in cell.config.components.items():
            switch = matrix.catalogue[config.uses or name].when
            key = (name, config.repo, config.ref)
            if name not in there and switch in cell.flags and not cell.opt_in and key not in seen:
                seen.add(key)
                sets = (f"flags.{switch}=true",)
                on = load(matrix.path, sets=map(parse_set, sets), selection=Selection(ids=(cell.id,)))
                yield on.cell(cell.id), sets


def needed(component: ResolvedComponent, cell: Cell) -> set[str]:
    """The components of the cell that this one is built with, itself included."""
    by_name = {other.name: other for other in cell.components}
    found, waiting = {component.name}, [component]
    while waiting:
        one = waiting.pop()
        names = {*one.config.needs, *(c.name for c in cell.components if c.recipe.name in one.recipe.needs)}
        names |= {"rust"} & by_name.keys() if one.options.get("rust") else set()
        for name in names - found:
            if by_name[name].recipe.name not in IN_BASE:
                found.add(name)
                waiting.append(by_name[name])
    return found


def _pins(component: ResolvedComponent) -> Iterator[tuple[str, str, str]]:
    """Repository, ref, and the key that names the ref, of all that a component fetches by git."""
    if component.git:
        yield component.git.repo, component.git.ref, f"components.{component.shared_with or component.name}.ref"
    for option, repo in component.options.items():
        stem = option.removesuffix("_repo")
        if stem != option and f"{stem}_ref" in component.options:
            ref = component.options[f"{stem}_ref"]
            yield str(repo), str(ref), f"components.{component.name}.options.{stem}_ref"


class Harness:
    """Runs cases on one engine."""

    def __init__(
        self, engine: Engine, mirrors: Mirrors, out: Path, prepared: Path, known: dict[str, Any], limit: int
    ) -> None:
        self._engine = engine
        self._mirrors = mirrors
        self._out = out
        self._prepared = prepared
        self._known = known
        self._limit = limit
        self._stack = ExitStack()
        server = GitServer(prepared)
        self._stack.callback(server.close)
        self._url = server.url

    def close(self) -> None:
        self._stack.close()

    def run(self, case: Case, sets: list[str]) -> Result:
        git = case.component.git
        assert git is not None
        result = Result(component=case.component.name, cell=case.cell.id, ref=git.ref, how_far="not run")
        own = self._known.get(case.component.name) or {}
        wanted = needed(case.component, case.cell)
        sets = [*case.sets, *sets, *own.get("sets", ()), f"base={BASE}", "image=rocmimg-real/case"]
        sets += [f"tags=[{case.cell.id}]", "uninstall=[]", "network.engine_mode=host", "registry=", "python=python3"]
        for component in case.cell.components:
            if component.name not in wanted:
                sets.append(f"components.{component.name}.enabled=false")
                continue
            for repo, ref, where in _pins(component):
                found = self._mirrors.prepare(repo, ref)
                if found is None:
                    result.why = f"no mirror of {repo}"
                    return result
                result.notes += found.notes
                if found.commit != ref:
                    sets.append(f"{where}={found.commit}")
        if own.get("sets"):
            result.notes.append(f"with {' '.join(own['sets'])}: {own['because']}")
        plan = self._plan(case, sets)
        began = time.monotonic()
        staged = case.component.name in [stage.name for stage in plan.stages]
        result.how_far = "built"
        if not staged:
            self._attempt(case, plan, "final", result)
        elif self._attempt(case, plan, case.component.name, result) and not self._attempt(case, plan, "final", result):
            # The stage is the proof; the assembly wants packages under the names of the production base.
            result.how_far, result.why = "built", f"its stage; the image's last stage stops: {result.why}"
        result.seconds = round(time.monotonic() - began, 1)
        return result

    def _plan(self, case: Case, sets: list[str]) -> ImagePlan:
        settings = [*map(parse_set, sets), parse_set(f"network.git_mirrors[{HOST}]={self._prepared}")]
        matrix = load(ROOT / "images.yaml", sets=settings, selection=Selection(ids=(case.cell.id,)))
        matrix = with_served_folders(matrix, lambda _: self._url)
        return make_plan(matrix, [case.cell.id])[case.cell.id]

    def _attempt(self, case: Case, plan: ImagePlan, stage: str, result: Result) -> bool:
        """Build one stage; ``result`` says how far it came where it failed."""
        log = CellLog(self._log(case, stage))
        request = BuildRequest(dockerfile=plan.dockerfile, context=plan.context, target=stage, network_mode="host")
        late, stopped = threading.Timer(self._limit, self._engine.cancel, [request.build_id]), False
        late.start()
        try:
            self._engine.build(request, lambda event: log.event(event, stage))
        except BuildCancelled:
            result.why, stopped = f"stopped after {self._limit} s", True
        except StepFailed as error:
            result.why = _reason(list(error.log)) or str(error)
            result.notes += [error.next_step] if network_advice(*error.log) else []
        else:
            return True
        finally:
            late.cancel()
            log.close()
        result.how_far = _how_far(self._log(case, stage).read_text(errors="replace"))
        if stopped and result.how_far == "not possible":
            result.how_far = "not run"  # nothing of it failed
        return False

    def _log(self, case: Case, stage: str) -> Path:
        return self._out / "logs" / f"{case.id.replace(' ', '-')}-{stage}.log"


def _how_far(log: str) -> str:
    if _COMPILES.search(log) or _CONFIGURED.search(log):
        return "configured"
    return "metadata only" if _METADATA.search(log) else "not possible"


def _reason(lines: list[str]) -> str:
    """The line of a log that says best what went wrong."""
    shown = [_STEP.sub("", line).strip() for line in lines]
    shown = [line for line in shown if line and not _BORING.search(line)]
    if of_compiler := [line for line in shown if _COMPILER_ERROR.search(line)]:
        return of_compiler[0][:300]
    telling = [s for s in shown if re.search(r"\b(?:[eE]rror|ERROR|fatal|Error)\b|not found|No such|cannot", s)]
    return (telling or shown or [""])[-1][:300]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mirrors", type=Path, help="folder of git mirrors: OWNER/NAME.git")
    parser.add_argument("--only", default="", help="regular expression over 'component of target'")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "real")
    parser.add_argument("--limit", type=int, default=900, help="seconds for one case")
    parser.add_argument("--set", action="append", default=[], dest="sets", help="as rocmimg's; ROCMIMG_SET comes first")
    options = parser.parse_args()
    known = yaml.safe_load((HERE / "cases.yaml").read_text()) or {}
    prepared = (options.out / "mirrors").resolve()
    prepared.mkdir(parents=True, exist_ok=True)
    report = options.out / "report.json"
    results: list[Result] = []
    matrix = load(ROOT / "images.yaml")
    with connect() as engine:
        if engine.image(BASE) is None:
            print(f"there is no {BASE}: `make real` builds it", file=sys.stderr)
            return 1
        harness = Harness(
            engine, Mirrors(options.mirrors.resolve(), prepared), options.out, prepared, known, options.limit
        )
        try:
            for case in cases(matrix):
                if not re.search(options.only, case.id):
                    continue
                result = harness.run(case, [*shlex.split(os.environ.get("ROCMIMG_SET", "")), *options.sets])
                results.append(result)
                report.write_text(json.dumps([asdict(result) for result in results], indent=2) + "\n")
                print(f"{case.id:34} {result.how_far:14} {result.seconds:7.1f} s  {result.why}", flush=True)
                for note in result.notes:
                    print(f"{'':34} {note}", flush=True)
        finally:
            harness.close()
    count = ", ".join(f"{n} {how}" for how in reversed(HOW_FAR) if (n := sum(r.how_far == how for r in results)))
    print(f"{count or 'no case'}; {sum(result.seconds for result in results):.0f} s")
    worse = [r for r in results if _rank(r.how_far) < _rank((known.get(r.component) or {}).get("reaches", "not run"))]
    for result in worse:
        if result.how_far != "not run":
            print(
                f"{result.component}: {known[result.component]['reaches']} before, {result.how_far} now",
                file=sys.stderr,
            )
    return int(any(result.how_far != "not run" for result in worse))


def _rank(how_far: str) -> int:
    return HOW_FAR.index(how_far)


if __name__ == "__main__":
    sys.exit(main())
