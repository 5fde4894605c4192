"""Build a cell's own Dockerfile over the stub base and read the traces of its stages back."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rocmimg.engine import BuildRequest, ContainerSpec, Event, ImageDetail, StepFinished
from rocmimg.matrix import Cell, ResolvedComponent, Selection, load, parse_set
from rocmimg.plan import ImagePlan, make_plan
from tracing.record import Trace, calls, own_lines
from tracing.stub import REPOSITORY, StubBases

if TYPE_CHECKING:
    from rocmimg.engine import Engine

_LOG = "/opt/trace/log"
_READ_BACK = "rocmimg-trace-read-back"
_BEFORE = ".before"
"""Stands for the image that the build starts from."""
_INSPECT = """
set -e
/opt/trace/python3 /opt/trace/recorder/dists.py
echo --
tail -n "+$(($(wc -l < /opt/trace/packages-before) + 1))" /opt/trace/packages
echo --
caches="/var/lib/apt/lists /var/cache/apt/archives /root/.cache"
mkdir -p $caches
find $caches -name '*_Packages' -o -name '*.deb' -o -path '/root/.cache/*'
echo --
/opt/trace/python3 -c 'from importlib.metadata import requires; print(*requires("torch"), sep="\\n")' || true
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A cell that was built over the stub base."""

    cell: Cell
    plan: ImagePlan
    image: ImageDetail
    trace: Trace
    steps: tuple[StepFinished, ...]
    """Every step of the build of the cell's own Dockerfile, cached or not."""
    distributions: Mapping[str, str]
    """Python distributions of the final image and their versions."""
    packages: frozenset[str]
    """Debian packages that steps of its base and final stages installed."""
    leftovers: tuple[str, ...]
    """Files of package managers' caches in the final image."""
    torch_requires: tuple[str, ...]
    """What torch's METADATA in the final image requires."""

    def plan_uses(self, stage: str) -> tuple[str, ...]:
        """The stages that a stage takes from."""
        return next((found.uses for found in self.plan.stages if found.name == stage), ())


def made_by(cell: Cell, recipe: str) -> ResolvedComponent | None:
    """The component that a recipe makes, if the cell has one."""
    return next((component for component in cell.components if component.recipe.name == recipe), None)


def production_cells(file: Path) -> list[Cell]:
    """Every cell of a matrix that starts from an image of a registry, or from such a cell; opt-in cells included."""
    matrix = load(file)
    found = []
    for cell in matrix.cells:
        first = cell
        while first.base_cell:
            first = matrix.cell(first.base_cell)
        if first.config.base.image:
            found.append(cell)
    return found


class Tracer:
    """Builds cells over stub bases; ``close`` removes every image but those bases."""

    def __init__(self, engine: Engine, stubs: StubBases, file: Path) -> None:
        self._engine = engine
        self._stubs = stubs
        self._file = file
        self._images: list[str] = []
        self._cells: dict[str, str] = {}
        self._built: dict[tuple[str, ...], Built] = {}

    def plan(self, cell_id: str, sets: Sequence[str] = ()) -> ImagePlan:
        """The cell's plan over its stub base; ``sets`` as ``--set`` on the command line."""
        own = [parse_set(text) for text in sets]
        selection = Selection(ids=(cell_id,))
        cell = load(self._file, sets=own, selection=selection).cell(cell_id)
        base = cell.config.base.model_dump(exclude_defaults=True, exclude={"image", "cell"})
        base["image"] = self._cell(cell.base_cell) if cell.base_cell else self._stubs.reference(cell.config.base.image)
        stub = parse_set(f"base={json.dumps(base)}")
        return make_plan(load(self._file, sets=[*own, stub], selection=selection), [cell_id])[cell_id]

    def build(self, cell_id: str, *sets: str) -> Built:
        """Build a cell, once for the same values; raises what the engine raises where a step fails."""
        key = (cell_id, *sets)
        if key not in self._built:
            self._built[key] = self._build(self.plan(cell_id, sets))
        return self._built[key]

    def _build(self, plan: ImagePlan) -> Built:
        events: list[Event] = []
        outcome = self._engine.build(
            BuildRequest(
                dockerfile=plan.dockerfile, context=plan.context, tags=(self._reference(),), network_mode="none"
            ),
            events.append,
        )
        image = self._engine.image(outcome.image_id)
        assert image is not None
        steps = {e.digest: e for e in events if isinstance(e, StepFinished) and not e.name.startswith("[internal]")}
        return self._read_back(plan, image, tuple(steps.values()))

    def _reference(self) -> str:
        """A name for one image: without one, anybody's clean-up of dangling images would take it."""
        self._images.append(f"{REPOSITORY}/built:{uuid.uuid4().hex}")
        return self._images[-1]

    def _cell(self, cell_id: str) -> str:
        """The reference of a cell that others start from, under a name of our own."""
        if cell_id not in self._cells:
            ref = f"{REPOSITORY}/cell:{cell_id}"
            self._engine.tag(self.build(cell_id).image.id, ref)
            self._cells[cell_id] = ref
        return self._cells[cell_id]

    def _read_back(self, plan: ImagePlan, image: ImageDetail, steps: tuple[StepFinished, ...]) -> Built:
        """Collect the log of every stage, those too that the final image takes nothing from."""
        stages = [stage.name for stage in plan.stages]
        sources = {_BEFORE: plan.base, **{stage: stage for stage in stages}}
        copies = "".join(f"COPY --from={source} {_LOG} /traces/{name}\n" for name, source in sources.items())
        copies += f"COPY --from={plan.base} /opt/trace/packages /opt/trace/packages-before\n"
        outcome = self._engine.build(
            BuildRequest(
                dockerfile=f"{plan.dockerfile}\nFROM final AS {_READ_BACK}\n{copies}",
                context=plan.context,
                tags=(self._reference(),),
                network_mode="none",
            ),
            lambda _event: None,
        )
        logs: dict[str, list[str]] = {}
        # The engine room's idle loop needs a sleep that sleeps.
        spec = ContainerSpec(image=outcome.image_id, user="root", workdir="/", env={"PATH": "/opt/trace:/usr/bin"})
        with self._engine.run(spec) as container:
            for member, content in container.archive("/traces"):
                if member.isreg():
                    logs[Path(member.name).name] = content.read().decode().splitlines()
            said = container.exec(["/bin/sh", "-c", _INSPECT], timeout=60)
            assert said.exit_code == 0, said.stderr.decode()
        dists, packages, leftovers, required = (part.splitlines() for part in said.stdout.decode().split("--\n"))
        own = own_lines({name: logs[name] for name in sources})
        del own[_BEFORE]
        return Built(
            cell=plan.cell,
            plan=plan,
            image=image,
            trace=Trace(stages={stage: calls(stage, lines) for stage, lines in own.items()}),
            steps=steps,
            distributions=dict(line.split("==") for line in dists),  # type: ignore[misc]
            packages=frozenset(packages),
            leftovers=tuple(leftovers),
            torch_requires=tuple(required),
        )

    @staticmethod
    def fresh() -> str:
        """Eight hexadecimal digits that the engine's cache has never seen."""
        return uuid.uuid4().hex[:8]

    def close(self) -> None:
        """Remove what was built."""
        for ref in (*self._cells.values(), *self._images):
            self._engine.remove(ref, force=True)
