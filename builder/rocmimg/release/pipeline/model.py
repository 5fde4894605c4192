"""What every CI has to do, before it is said in the words of one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rocmimg import __version__
from rocmimg.errors import ConfigError
from rocmimg.matrix.cell import Cell
from rocmimg.plan import Plan
from rocmimg.registry import parse
from rocmimg.release.candidates import public_reference

INSTALL: Final = f"python3 -m pip install rocmimg=={__version__}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """Build one cell, check it without a GPU, and push it as a candidate."""

    cell: str
    bases: tuple[str, ...]
    """Cells below it, lowest first: pulled, not built again."""
    runner: tuple[str, ...]

    @property
    def commands(self) -> tuple[str, ...]:
        cells = " ".join((*self.bases, self.cell))
        pull = (f"rocmimg pull --locked {' '.join(self.bases)}",) if self.bases else ()
        return (
            *pull,
            f"rocmimg build --locked {cells}",
            f"rocmimg test --locked --junit build/junit.xml {self.cell}",
            f"rocmimg push --locked --candidate {self.cell}",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """Check one candidate on a machine with one kind of GPU, and attach what came out, good or bad."""

    cell: str
    arch: str
    runner: tuple[str, ...]

    @property
    def commands(self) -> tuple[str, ...]:
        return (
            f"rocmimg pull --locked {self.cell}",
            # The results of a failed check belong to the candidate as well: the gate reads them.
            f"rocmimg test --locked --require-gpu --junit build/junit.xml {self.cell} || failed=$?",
            f"rocmimg push --locked --results {self.cell}",
            'exit "${failed:-0}"',
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """All jobs. ``levels[n]`` needs what ``levels[n - 1]`` pushed."""

    levels: tuple[tuple[Build, ...], ...]
    tests: tuple[Test, ...]
    targets: tuple[str, ...]
    hosts: tuple[str, ...]
    """Registries that jobs log in to."""
    install: str
    runner: tuple[str, ...]
    """Where checks and promotions run."""

    @property
    def builds(self) -> tuple[Build, ...]:
        return tuple(build for level in self.levels for build in level)

    @property
    def check(self) -> tuple[str, ...]:
        """What is known before anything is built: quoting, rules, contracts, the lock."""
        targets = " ".join(f"--target {target}" for target in self.targets)
        return (
            f"rocmimg render --locked --output build/render {targets}",
            "rocmimg lint build/render",
            f"rocmimg contract --locked {targets}",
        )

    @property
    def promote(self) -> tuple[str, ...]:
        return tuple(f"rocmimg promote --locked --target {target}" for target in self.targets)


def make_pipeline(plan: Plan, cell_ids: Sequence[str], *, install: str = INSTALL) -> Pipeline:
    """The pipeline that builds, proves and promotes these cells, and builds the cells that they start from.

    Raises:
        ConfigError: a label of a runner has an unknown field.
    """
    depth: dict[str, int] = {}
    for image in plan.images:
        depth[image.id] = depth[image.needs] + 1 if image.needs else 0
    levels = tuple(
        tuple(
            Build(cell=image.id, bases=_bases(plan, image.id), runner=_labels(image.cell, "build", image.cell.arch))
            for image in plan.images
            if depth[image.id] == level
        )
        for level in range(max(depth.values(), default=-1) + 1)
    )
    wanted = [plan[cell] for cell in cell_ids]
    return Pipeline(
        levels=levels,
        tests=tuple(
            Test(cell=image.id, arch=arch, runner=_labels(image.cell, "gpu", arch))
            for image in wanted
            for arch in image.cell.archs
            if "gpu" in image.cell.config.release.required_tiers
            and arch in (image.cell.config.runners.gpu_archs or image.cell.archs)
        ),
        targets=tuple(dict.fromkeys(image.cell.target for image in wanted)),
        hosts=tuple(sorted({parse(str(public_reference(image))).host for image in plan.images})),
        install=install,
        runner=_labels(wanted[0].cell, "check", wanted[0].cell.arch),
    )


def _bases(plan: Plan, cell: str) -> tuple[str, ...]:
    found: list[str] = []
    while base := plan[cell].needs:
        found.insert(0, base)
        cell = base
    return tuple(found)


def _labels(cell: Cell, kind: str, arch: str) -> tuple[str, ...]:
    labels: tuple[str, ...] = getattr(cell.config.runners, kind)
    try:
        return tuple(label.format_map({"arch": arch, "target": cell.target}) for label in labels)
    except (KeyError, ValueError, IndexError) as error:
        raise ConfigError(
            f"a label of runners.{kind} has an unknown field",
            why=str(error),
            next_step="fields are {arch} and {target}",
            position=cell.position("runners", kind),
        ) from None
