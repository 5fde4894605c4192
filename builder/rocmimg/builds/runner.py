"""Run a Plan on an engine: bases first, cells side by side, one failure does not stop the others."""

from __future__ import annotations

import json
import os
import queue
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rocmimg import built
from rocmimg.builds.decide import UP_TO_DATE, Decision, ImageIndex, base_id_of, decide
from rocmimg.builds.mirrors import refuse_unreachable_mirrors
from rocmimg.builds.observe import CellLog, View
from rocmimg.builds.results import CellResult
from rocmimg.builds.rootfs import RootfsMaker
from rocmimg.builds.steps import UNNAMED, Step, StepRecorder, own_step
from rocmimg.builds.store import hidden_words, store_secret
from rocmimg.built import Built
from rocmimg.engine import BuildCancelled, BuildRequest, Event, HistoryEntry, ImageInfo, StepFailed
from rocmimg.errors import ConfigError, LockError, Position, RocmimgError, of_os_error
from rocmimg.plan import LABEL_DIGEST, LABEL_INPUTS, ImagePlan, Plan

if TYPE_CHECKING:
    from rocmimg.engine import Engine

_LAST_LINES = 20
STOPPED: Final = "the run was stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to run a plan."""

    jobs: int = 4
    """Cells at once; inside each, the engine runs independent stages side by side as well."""
    fail_fast: bool = False
    """Cancel the others when one fails."""
    force: bool = False
    """Build what is up to date as well; the engine's cache still holds."""
    no_cache: bool = False
    """Build every step anew, and use no cache inside them either."""
    logs: Path = Path("build/logs")


class _Stop(Exception):
    """The cell's turn came after the run was stopped."""


class _Run:
    def __init__(self, plan: Plan, engine: Engine, options: Options, view: View, images: Iterable[ImageInfo]) -> None:
        self._plan = plan
        self._engine = engine
        self._options = options
        self._view = view
        self._index = ImageIndex(images)
        self._rootfs = RootfsMaker()
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._pulls: dict[str, Future[str]] = {}
        self._built: dict[str, str] = {}
        self.results: dict[str, CellResult] = {}

    def __call__(self) -> None:
        sorter = TopologicalSorter({image.id: [image.needs] if image.needs else [] for image in self._plan.images})
        sorter.prepare()
        self._view.planned(image.id for image in self._plan.images)
        done: queue.SimpleQueue[CellResult] = queue.SimpleQueue()
        with ThreadPoolExecutor(self._options.jobs) as pool:
            try:
                while sorter.is_active():
                    for cell_id in sorter.get_ready():
                        pool.submit(lambda image: done.put(self._cell(image)), self._plan[cell_id])
                    result = self._taken(done.get())
                    if result.status == "failed" and self._options.fail_fast:
                        self._cancel()
                    sorter.done(result.id)
            except BaseException:
                self._cancel()
                pool.shutdown()
                while not done.empty():  # those that ran say so, and until where
                    self._taken(done.get())
                raise

    def _taken(self, result: CellResult) -> CellResult:
        self.results[result.id] = result
        self._view.finished(result)
        return result

    def _cancel(self) -> None:
        self._stop.set()
        self._rootfs.cancel()
        self._engine.stop()

    def _cell(self, image: ImagePlan) -> CellResult:
        began, started = time.monotonic(), time.time()
        recorder = StepRecorder()
        try:
            result = self._attempt(image, recorder)
        except (_Stop, BuildCancelled):
            log = str(self._log(image)) if recorder else None
            result = CellResult(id=image.id, status="cancelled", seconds=0, reasons=(STOPPED,), log=log)
        except RocmimgError as error:
            result = CellResult(id=image.id, status="failed", seconds=0, error=error)
        except OSError as error:
            failure = of_os_error(error, "a file of the build cannot be written or read")
            result = CellResult(id=image.id, status="failed", seconds=0, error=failure)
        except Exception as error:  # a defect here must not leave the others waiting for this cell
            failure = RocmimgError(f"{type(error).__name__}: {error}", why="this is a defect of rocmimg")
            failure.__cause__ = error
            result = CellResult(id=image.id, status="failed", seconds=0, error=failure)
        return replace(
            result,
            started=0.0 if result.status == "cancelled" and not recorder else started,
            seconds=time.monotonic() - began,
            tags=image.cell.tags,
            steps=self._steps(image, result, recorder),
        )

    def _log(self, image: ImagePlan) -> Path:
        return self._options.logs / f"{image.id}.log"

    def _steps(self, image: ImagePlan, result: CellResult, recorder: StepRecorder) -> tuple[Step, ...]:
        """With the sizes of the layers where there is an image; not knowing how it was built must not lose it."""
        history: list[HistoryEntry] = []
        if result.status == "built" and result.image_id:
            with suppress(RocmimgError):
                history = self._engine.history(result.image_id)
        return recorder.steps(history, _stages_of_image(image))

    def _attempt(self, image: ImagePlan, recorder: StepRecorder) -> CellResult:
        if self._stop.is_set():
            raise _Stop
        if image.needs and self.results[image.needs].status in ("failed", "cancelled"):
            reason = f"its base {image.needs} was not built"
            return CellResult(id=image.id, status="cancelled", seconds=0, reasons=(reason,))
        base_id = self._local_base(image)
        _refuse_other_base(image, base_id)
        decision = decide(image, base_id, self._index, force=self._options.force) if base_id else None
        if decision and decision.action == UP_TO_DATE:
            self._built[image.id] = str(decision.image_id)
            return CellResult(
                id=image.id, status=UP_TO_DATE, seconds=0, image_id=decision.image_id, digest=decision.digest
            )
        log = CellLog(self._log(image))
        try:
            result = self._logged(image, base_id, decision, log, recorder)
        finally:
            log.close()
        return replace(result, log=str(log.path) if result.log else None, log_error=log.error)

    def _logged(
        self, image: ImagePlan, base_id: str | None, decision: Decision | None, log: CellLog, recorder: StepRecorder
    ) -> CellResult:
        try:
            return self._build(image, base_id, decision, log, recorder)
        except StepFailed as error:
            log.line(f"FAILED: {error}")
            return CellResult(
                id=image.id,
                status="failed",
                seconds=0,
                error=error,
                failed_step=error.step,
                last_lines=error.log[-_LAST_LINES:],
                log=str(log.path),
                reasons=decision.reasons if decision else (),
            )
        except RocmimgError as error:
            log.line(f"FAILED: {error}")
            if isinstance(error, BuildCancelled):
                raise
            return CellResult(id=image.id, status="failed", seconds=0, error=error, log=str(log.path))

    def _local_base(self, image: ImagePlan) -> str | None:
        return self._built[image.needs] if image.needs else base_id_of(image, self._index)

    def _build(
        self, image: ImagePlan, base_id: str | None, decision: Decision | None, log: CellLog, recorder: StepRecorder
    ) -> CellResult:
        def report(event: Event) -> None:
            recorder.event(event)
            log.event(event, recorder.place(event.digest))
            self._view.event(image.id, event)

        if image.rootfs and not image.rootfs.archive.exists():
            what = f"making Debian {image.rootfs.rootfs.suite} with mmdebstrap"
            self._view.started(image.id, what)
            with own_step(what, report) as tell:
                self._rootfs.ensure(image.rootfs, tell)
        if base_id is None:
            self._view.started(image.id, f"pulling {image.base}")
            with own_step(f"pulling {image.base}", report) as tell:
                base_id = self._pull(image.base, tell)
            decision = None
            if image.prebuilt:
                return CellResult(
                    id=image.id,
                    status=UP_TO_DATE,
                    seconds=0,
                    image_id=base_id,
                    digest=image.pinned_digest,
                    reasons=(f"pulled {image.prebuilt}",),
                    log=str(log.path),
                )
        decision = decision or decide(image, base_id, self._index, force=self._options.force)
        if decision.action == UP_TO_DATE:  # the base was missing, the image was not
            self._built[image.id] = str(decision.image_id)
            return CellResult(
                id=image.id, status=UP_TO_DATE, seconds=0, image_id=decision.image_id, digest=decision.digest
            )
        self._view.started(image.id, f"building: {', '.join(decision.reasons)}")
        for reason in decision.reasons:
            log.line(f"# {reason}")
        refuse_unreachable_mirrors(image, self._engine.info.url)
        for other in image.other_images:
            if self._index.find(other) is None:  # the engine pulls it as well, but without credentials
                self._view.started(image.id, f"pulling {other}")
                with own_step(f"pulling {other}", report) as tell:
                    self._pull(other, tell)
        caches = self._engine.info.cache_mounts and not self._options.no_cache
        secrets = store_secret(os.environ) if caches and image.cell.config.cache.compiler == "sccache" else {}
        dockerfile, context = image.build_files(caches=caches, store=bool(secrets))
        request = BuildRequest(
            dockerfile=dockerfile,
            context=context,
            tags=image.cell.tags,
            labels=self._labels(image, base_id),
            build_args=image.build_args,
            secrets=secrets,
            hidden=hidden_words(os.environ) if secrets else (),
            target=image.target or None,
            network_mode=image.cell.config.network.engine_mode,
            no_cache=self._options.no_cache,
        )
        outcome = self._engine.build(request, report)
        self._built[image.id] = outcome.image_id
        detail = self._engine.image(outcome.image_id)
        layers = detail.layers if detail else ()
        try:
            built.remember(Built(id=outcome.image_id, cell=image.id, plan=image.digest(base_id), layers=layers))
        except OSError as error:
            log.line(f"the build cannot be recorded, so the next one builds again: {error}")
        return CellResult(
            id=image.id,
            status="built",
            seconds=0,
            image_id=outcome.image_id,
            digest=decision.digest,
            reasons=decision.reasons,
            log=str(log.path),
        )

    def _pull(self, ref: str, report: Callable[[Event], None]) -> str:
        """Pull once, however many cells start from ``ref``."""
        with self._lock:
            mine = ref not in self._pulls
            future = self._pulls.setdefault(ref, Future())
        if mine:
            try:
                future.set_result(self._engine.pull(ref, report))
            except BaseException as error:  # whoever waits must learn of it, whatever it is
                future.set_exception(error)
        return future.result()

    def _labels(self, image: ImagePlan, base_id: str) -> dict[str, str]:
        labels = {
            **image.labels,
            "org.opencontainers.image.created": _now(),
            LABEL_DIGEST: image.digest(base_id),
            LABEL_INPUTS: json.dumps(image.all_inputs(base_id), sort_keys=True),
        }
        base = None if image.rootfs else self._engine.image(image.base)
        if base:
            digests = [digest.partition("@")[2] for digest in base.digests]
            labels["org.opencontainers.image.base.digest"] = digests[0] if digests else base.id
        return labels


def _stages_of_image(image: ImagePlan) -> tuple[str, ...]:
    """The stages whose layers the image has, lowest first, by the engine's names."""
    stages = image.stages
    if not image.cell.dockerfile:
        return tuple(dict.fromkeys(stage.name for stage in (*stages[:1], *stages[-1:])))
    # Those below the last may be copied from only. A stage without a name has none in a Dockerfile of one.
    return (stages[-1].name, UNNAMED) if len(stages) == 1 else (stages[-1].name,)


def _now() -> str:
    moment = _source_date() or datetime.now(UTC)
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def _source_date() -> datetime | None:
    """SOURCE_DATE_EPOCH, where it is set.

    Raises:
        ConfigError: it is not a number of seconds.
    """
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if not epoch:
        return None
    try:
        return datetime.fromtimestamp(int(epoch), UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise ConfigError(
            f"{epoch[:40]!r} is not a number of seconds since 1970",
            why=str(error)[:200],
            next_step="unset it, or set it to what `git log -1 --format=%ct` says",
            position=Position("SOURCE_DATE_EPOCH"),
        ) from None


def run(
    plan: Plan,
    engine: Engine,
    options: Options,
    view: View,
    on_results: Callable[[list[CellResult]], None],
    *,
    images: Iterable[ImageInfo],
) -> None:
    """Build what is not up to date and hand over one result a cell, in the plan's order.

    ``images`` are those that the engine has now.

    ``on_results`` is called on the way out of an interrupted run as well: what was built stays, and is reported.

    Raises:
        EngineError: the engine cannot be asked at all. A cell's own failure is in its result.
        ConfigError: SOURCE_DATE_EPOCH is not a number.
    """
    _source_date()
    work = _Run(plan, engine, options, view, images)
    try:
        work()
    finally:
        missing = [image for image in plan.images if image.id not in work.results]
        for image in missing:
            work.results[image.id] = CellResult(
                id=image.id, status="cancelled", seconds=0, tags=image.cell.tags, reasons=(STOPPED,)
            )
        on_results(_with_sizes([work.results[image.id] for image in plan.images], engine))


def _with_sizes(results: list[CellResult], engine: Engine) -> list[CellResult]:
    if not any(result.status == "built" for result in results):
        return results
    try:
        sizes = {image.id: image.size for image in engine.images()}
    except RocmimgError:
        return results
    return [replace(r, size=sizes.get(r.image_id)) if r.image_id else r for r in results]


def _refuse_other_base(image: ImagePlan, base_id: str | None) -> None:
    """A base that is in no registry cannot be asked for by digest: the one that is there must be the locked one."""
    locked = image.cell.base_id
    if locked and locked != base_id:
        raise LockError(
            f"{image.base} is {base_id[:19]} here and was {locked[:19]} when it was locked" if base_id
            else f"{image.base} is not on this engine, and no registry had it when it was locked",
            next_step="build or load that image, or run `rocmimg lock` to take what is here",
            position=image.cell.position("base"),
        )  # fmt: skip
