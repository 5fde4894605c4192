"""What every CI has to do, before it is said in the words of one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rocmimg.errors import ConfigError
from rocmimg.matrix.cell import Cell
from rocmimg.plan import Plan
from rocmimg.registry import parse
from rocmimg.registry.reference import HUB
from rocmimg.release.candidates import public_reference
from rocmimg.release.pipeline.install import install

JUNIT: Final = "build/reports/junit.xml"
REPORTS: Final = ("build/reports", "build/report.json", "build/logs", "build/results")
"""All of it is known as no source of a build, as a context may be the whole checkout."""
TEST_REPORTS: Final = f"--junit {JUNIT} --html build/reports/test.html"
CACHE: Final = ".rocmimg/cache"
"""Clones that the contract reads, kept from one run to the next."""
SIGNING_KEY: Final = "ROCMIMG_SIGNING_KEY"
"""The secret, a private key in PEM form."""
SIGN: Final = f'export SIGNING_KEY_PEM="${{{SIGNING_KEY}:-}}" {SIGNING_KEY}=env:SIGNING_KEY_PEM'
"""For the shell of a CI that gives the secret its own name in the environment."""


def login(host: str) -> str:
    """Log in to a registry with the credentials that the job's environment has."""
    where = "" if host == HUB else f" {host}"
    return f'printf %s "$REGISTRY_PASSWORD" | docker login --username "$REGISTRY_USER" --password-stdin{where}'


def logout(host: str) -> str:
    """Forget what :func:`login` stored."""
    return "docker logout" if host == HUB else f"docker logout {host}"


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
            "rocmimg doctor",
            *pull,
            f"rocmimg build --locked {cells}",
            f"rocmimg test --locked {TEST_REPORTS} {self.cell}",
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
            "rocmimg doctor",
            f"rocmimg pull --locked {self.cell}",
            # The results of a failed check belong to the candidate as well: the gate reads them.
            f"rocmimg test --locked --require-gpu {TEST_REPORTS} {self.cell} || failed=$?",
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
    """A script for any shell: rocmimg, whatever Python the machine has."""
    install_drawing: str
    """The same, for jobs that write pages."""
    signed: bool
    """Whether what is pushed and promoted has to be signed."""
    nightly: str
    """A cron line; empty for none."""
    runner: tuple[str, ...]
    """Where checks and promotions run."""

    @property
    def builds(self) -> tuple[Build, ...]:
        return tuple(build for level in self.levels for build in level)

    @property
    def check(self) -> tuple[str, ...]:
        """What is known before anything is built: rules, contracts, pins, the lock."""
        return (f"rocmimg check --locked {self.selection}",)

    @property
    def selection(self) -> str:
        """The targets as options."""
        return " ".join(f"--target {target}" for target in self.targets)

    @property
    def promote(self) -> tuple[str, ...]:
        return tuple(f"rocmimg promote --locked --target {target}" for target in self.targets)


def make_pipeline(plan: Plan, cell_ids: Sequence[str], *, source: str, nightly: str = "") -> Pipeline:
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
        install=install(source),
        install_drawing=install(source, pictures=True),
        signed=any(image.cell.config.release.signers for image in plan.images),
        nightly=nightly,
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
