"""Judge images: one container, one probe and one pytest process each, several images at once."""

from __future__ import annotations

import contextlib
import json
import shutil
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from rocmimg import __version__
from rocmimg.builds.locate import ImageUnderTest, as_configured
from rocmimg.checks import device
from rocmimg.checks.coverage import coverage, own_archs
from rocmimg.checks.job import KERNELS, CheckJob, Gpu
from rocmimg.checks.model import (
    TIERS,
    CheckResult,
    ImageResult,
    Tier,
    Waiver,
    check_from_json,
    file_name,
    result_from_json,
)
from rocmimg.checks.offered import ALL, Offered, offered
from rocmimg.checks.pytest_process import STARTED, Progress, PytestProcess
from rocmimg.checks.run_probe import exported, probe
from rocmimg.checks.suites import command, own_folder, suite_digest
from rocmimg.contract.probe import Names
from rocmimg.engine import ContainerSpec
from rocmimg.errors import DiskFullError, EngineError, RocmimgError
from rocmimg.files import LogFile, Unwritten
from rocmimg.leftovers import scratch
from rocmimg.paths import cache_dir, write_atomic
from rocmimg.plan import LABEL_DIGEST

if TYPE_CHECKING:
    from rocmimg.engine import Container, Engine
    from rocmimg.plan.expected import ExpectedImage

_PIDS: Final = 4096
_SHELL: Final = "/bin/sh"
"""What a container that idles runs; the engine names it where the image has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to judge."""

    tiers: tuple[Tier, ...] = TIERS
    checks: tuple[str, ...] = ()
    """Only these of them; what they say is not kept. Empty for all."""
    jobs: int = 2
    """Images at once."""
    gpus: int = 1
    """GPUs an image."""
    results: Path = field(default_factory=lambda: cache_dir() / "results")
    """Where <cell>.json and <cell>.log are written."""
    project: Path = Path()
    """The folder of images.yaml, where a target's own checks are looked up."""
    unwritten: Unwritten = field(default_factory=Unwritten)
    """Is told which of the files could not be written."""
    export_kernels: Path | None = None
    conditions: tuple[str, ...] = ()
    """Conditions for every image, besides those that its cell has."""
    contracts: Mapping[str, tuple[Names, ...] | str] = field(default_factory=dict)
    """Cell -> the names to ask its image for, or why they are not known."""


class View(Protocol):
    """Who is shown what happens, from any thread."""

    def started(self, image: str, what: str) -> None:
        """What is done with an image now."""

    def said(self, image: str, text: str) -> None:
        """A detail: what became of one check."""

    def finished(self, result: ImageResult) -> None:
        """An image is judged."""


class Run:
    """One ``rocmimg test``."""

    def __init__(self, engine: Engine, options: Options, view: View) -> None:
        self._engine = engine
        self._options = options
        self._view = view
        self._gpus = () if engine.remote else device.gpus()
        self._offered: Offered | None = None
        self._suites: set[PytestProcess] = set()
        self._folders: dict[str, Path | None] = {}
        self._lock = threading.Lock()
        self._stopped = False

    def __call__(self, subjects: Sequence[ImageUnderTest]) -> list[ImageResult]:
        """One result a subject, in their order; a defect of one costs that one only.

        Raises:
            EngineError: the engine does not describe itself.
            ConfigError: a target's own checks or its waivers are wrong.
        """
        for one in subjects:
            project = own_folder(one.plan.cell, self._options.project) if one.plan else None
            self._folders[one.expected.cell] = project
        with ThreadPoolExecutor(self._options.jobs) as pool:
            try:
                return list(pool.map(self._judged, subjects))
            except BaseException:
                self._stop()
                raise

    def _stop(self) -> None:
        with self._lock:
            self._stopped = True
            for suite in self._suites:
                suite.stop()
        self._engine.close()  # removes the containers, which ends what runs in them

    def _judged(self, subject: ImageUnderTest) -> ImageResult:
        began = time.monotonic()
        blank = ImageResult(
            id=subject.expected.cell,
            target=subject.expected.target,
            gpu_arch=subject.expected.arch,
            image=_name(subject),
            image_id=subject.image.id if subject.image else "",
            digest=_digest(subject),
            repo_digests=subject.image.digests if subject.image else (),
            run=uuid.uuid4().hex,
            started=datetime.now(UTC).isoformat(timespec="seconds"),
            seconds=0.0,
            engine=f"{self._engine.info.kind} {self._engine.info.version}",
            device="",
            archs=subject.expected.archs,
            suite_version=__version__,
            suite_digest=suite_digest(self._folders[subject.expected.cell]),
            waivers=tuple(one for one in _waivers(subject) if one.in_force(datetime.now(UTC).date())),
            conditions=", ".join(_conditions(subject, self._options)),
            checks=(),
            reason=subject.reason,
        )
        if subject.image is None:
            self._view.finished(blank)
            return blank
        name = file_name(subject.expected.cell)
        log = LogFile(self._options.results / f"{name}.log")
        try:
            result = self._judge(subject, replace(blank, reason="", log=str(log.path)), log)
        except RocmimgError as error:
            code = error.exit_code if isinstance(error, EngineError | DiskFullError) else 0
            result = replace(blank, reason=str(error), error_code=code)
        except OSError as error:
            result = replace(blank, reason=f"a file of the run cannot be written or read: {error}")
            self._options.unwritten.note("a file of the run", error.filename or "", error)
        finally:
            log.close()
        if log.error:
            self._options.unwritten.note("the log", log.path, log.error)
        notes = (subject.reason,) if subject.reason else ()
        result = replace(result, seconds=time.monotonic() - began, notes=notes)
        if result.checks and not self._options.checks:
            path = self._options.results / f"{name}.json"
            with self._options.unwritten.instead_of("the result", path):
                store(path, result, self._options.tiers)
        self._view.finished(result)
        return result

    def _judge(self, subject: ImageUnderTest, blank: ImageResult, log: LogFile) -> ImageResult:
        expected = subject.expected
        found = self._found(blank.image_id)
        archs = expected.archs or tuple(dict.fromkeys(gpu.arch for gpu in found.gpus))
        no_gpu = found.reason or device.why_none(found.gpus, archs)
        # By CDI a remote engine gives all of them, so that all are taken.
        count = len(found.gpus) if self._engine.remote else self._options.gpus
        with (
            scratch("rocmimg-") as folder,
            device.leased(found.gpus, archs, count) as gpus,
            self._suite(command(self._folders[expected.cell], folder / "order.json"), log) as suite,
            self._container(self._spec(blank.image_id, gpus, found)) as container,
        ):
            answer, expected = self._order(subject, container, folder, gpus[0] if gpus else None, no_gpu)
            lines = folder / "results.jsonl"
            progress = Progress(
                lines,
                lambda check: self._view.started(expected.cell, check),
                lambda check: self._view.said(expected.cell, check),
            )
            checks = _read(lines, suite.judge(progress.look), log.path)
            self._export(folder / KERNELS, file_name(expected.cell))
            return replace(
                blank,
                gpu_arch=expected.arch,
                archs=expected.archs,
                device=device.describe(gpus),
                checks=tuple(replace(check, run=blank.run) for check in checks),
                coverage=coverage(answer.get("files", {}), expected.archs),
            )

    def _export(self, kernels: Path, name: str) -> None:
        """Copy the pack that the checks wrote to where it is wanted."""
        if self._options.export_kernels and kernels.exists():
            target = self._options.export_kernels / name
            with self._options.unwritten.instead_of("the pack of kernels", target):
                shutil.copytree(kernels, target, dirs_exist_ok=True)

    def _found(self, image_id: str) -> Offered:
        """The GPUs that containers can get: this machine's, or those of the engine's machine."""
        if not self._engine.remote:
            return Offered(gpus=self._gpus)
        with self._lock:
            if self._offered is None:
                self._offered = offered(self._engine, image_id)
            return self._offered

    def _spec(self, image_id: str, gpus: Sequence[Gpu], found: Offered) -> ContainerSpec:
        info = self._engine.info
        memory = info.memory_bytes * 3 // 4 // self._options.jobs
        if self._engine.remote:
            options = device.shared_options(cdi=(ALL,), group_add=found.groups) if gpus else {}
        else:
            options = device.container_options(gpus, cdi_folders=info.cdi_folders)
        return ContainerSpec(image=image_id, memory_bytes=memory or None, pids_limit=_PIDS, **options)

    @contextlib.contextmanager
    def _container(self, spec: ContainerSpec) -> Iterator[Container | None]:
        """A container to look around in; None for an image in which nothing can wait, like a Go binary alone."""
        with contextlib.ExitStack() as stack:
            try:
                container = stack.enter_context(self._engine.run(spec))
            except EngineError as error:
                if _SHELL not in str(error):
                    raise
                container = None
            yield container

    @contextlib.contextmanager
    def _suite(self, argv: Sequence[str], log: LogFile) -> Iterator[PytestProcess]:
        with self._lock:
            if self._stopped:
                raise RocmimgError("the run was stopped")
            suite = PytestProcess(argv, log)
            self._suites.add(suite)
        try:
            with suite:
                yield suite
        finally:
            with self._lock:
                self._suites.discard(suite)

    def _order(
        self, subject: ImageUnderTest, container: Container | None, folder: Path, gpu: Gpu | None, no_gpu: str
    ) -> tuple[dict[str, Any], ExpectedImage]:
        """Run the probe, write the order that the suite waits for; the probe's answer, and what is expected now."""
        tiers = self._options.tiers
        image_id = subject.image.id if subject.image else ""
        detail = self._engine.image(image_id)
        expect = as_configured(subject.expected, detail) if detail else subject.expected
        self._view.started(expect.cell, "reading the image")
        if container:
            answer = probe(container, expect, python=any(tier != "image" for tier in tiers))
        else:
            answer = exported(self._engine, image_id, expect)
        (folder / "probe.json").write_text(json.dumps(answer))
        if not expect.archs:
            archs = own_archs(answer.get("files", {}))
            arch = archs[0] if len(archs) == 1 else "all" if archs else ""
            expect = expect.model_copy(update={"archs": archs, "arch": arch, "archs_from": "its own code"})
        if gpu and gpu.arch not in expect.archs:
            no_gpu = device.why_none((gpu,), expect.archs)
            gpu = None
        names = self._options.contracts.get(expect.cell, ())
        order = CheckJob(
            planned=expect,
            detail=asdict(detail) if detail else {},
            history=tuple(asdict(entry) for entry in self._engine.history(image_id)),
            container=container.id if container else "",
            tiers=tiers,
            checks=self._options.checks,
            waivers=_waivers(subject),
            gpu=gpu,
            no_gpu=no_gpu,
            probe=folder / "probe.json",
            results=folder / "results.jsonl",
            folder=folder,
            conditions=_conditions(subject, self._options),
            contract=() if isinstance(names, str) else names,
            no_contract=names if isinstance(names, str) else "",
        )
        (folder / "order.json").write_text(order.model_dump_json())
        return answer, expect


def _digest(subject: ImageUnderTest) -> str:
    """The plan's digest: in a label of what a build made, known of what another pipeline built."""
    if subject.plan and subject.plan.prebuilt:
        return subject.plan.pinned_digest
    return subject.image.labels.get(LABEL_DIGEST, "") if subject.image else ""


def _name(subject: ImageUnderTest) -> str:
    """The cell's own tag where the image has it: the engine lists the names that anybody gave it by the alphabet."""
    has = subject.image.tags if subject.image else ()
    own = subject.plan.cell.tags if subject.plan else (subject.expected.cell,)
    return next((tag for tag in (*own, *has) if tag in has), "")


def _conditions(subject: ImageUnderTest, options: Options) -> tuple[str, ...]:
    own = subject.plan.cell.config.checks.conditions if subject.plan else ()
    return tuple(dict.fromkeys((*own, *options.conditions)))


def _waivers(subject: ImageUnderTest) -> tuple[Waiver, ...]:
    declared = subject.plan.cell.config.checks.waivers if subject.plan else ()
    return tuple(Waiver(check=one.check, reason=one.reason, until=one.until, path=one.path) for one in declared)


def run(subjects: Sequence[ImageUnderTest], engine: Engine, options: Options, view: View) -> list[ImageResult]:
    """Judge ``subjects``. See :class:`Run`."""
    return Run(engine, options, view)(subjects)


def _read(path: Path, ended: str, log: Path) -> tuple[CheckResult, ...]:
    """The lines of the plugin; what was announced and has no result was not run."""
    results: dict[str, CheckResult] = {}
    for line in path.read_text().splitlines() if path.exists() else ():
        record = json.loads(line)
        if STARTED in record:
            continue
        one = check_from_json(record)
        results[one.id] = one
    if not results:
        raise RocmimgError("the suite did not start", why=ended or "it has no checks", next_step=f"see {log}")
    why = ended or "the suite ended before it"
    return tuple(
        replace(one, reason=why) if one.status == "not-run" and not one.reason else one for one in results.values()
    )


def store(path: Path, result: ImageResult, tiers: Sequence[Tier]) -> None:
    """Write a result file; what it says of the same image and device stays for the tiers that were not run now."""
    write_atomic(path, json.dumps(_with_earlier(path, result, tiers).as_json(), indent=2) + "\n")


def _with_earlier(path: Path, result: ImageResult, tiers: Sequence[Tier]) -> ImageResult:
    try:
        earlier = result_from_json(json.loads(path.read_bytes()))
    except (OSError, ValueError, KeyError, TypeError):
        return result
    kept = tuple(check for check in earlier.checks if check.tier not in tiers)
    if not kept or (earlier.image_id, earlier.device) != (result.image_id, result.device):
        return result
    note = f"tiers {', '.join(dict.fromkeys(check.tier for check in kept))}: as of {earlier.started}"
    return replace(result, checks=(*kept, *result.checks), notes=(*result.notes, note))
