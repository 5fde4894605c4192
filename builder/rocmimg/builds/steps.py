"""The steps of a cell's build: where each belongs, when it ran, whether the engine had it, and how large it is."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final, Literal, Self

from rocmimg.engine import Event, HistoryEntry, StepFinished, StepLog, StepStarted, Transfer

StepStatus = Literal["done", "cached", "failed", "cancelled"]

_NAME: Final = re.compile(
    r"\[(?:(?P<platform>\S+/\S+) )??(?:(?P<stage>[^\s/\]]+) ?)?(?:(?P<number>\d+)/(?P<of>\d+))?\] (?P<text>.*)",
    re.DOTALL,
)
UNNAMED: Final = "image"
"""What a stage is called here that the engine has no name for."""
_COMPILED: Final = re.compile(r"rocmimg-cache: (\w+) (\d+) hits, (\d+) misses, (\d+) not cacheable")
_INTERNAL: Final = ("internal", "auth")
_LAYERED: Final = re.compile(r"(RUN|COPY|ADD|WORKDIR)\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class StepName:
    """What the engine calls a step: ``[aiter 3/7] RUN ...``."""

    stage: str = ""
    """Empty for the engine's own work: reading the context, exporting."""
    number: int = 0
    """From 1; 0 for a step that is not an instruction of the Dockerfile."""
    of: int = 0
    """How many steps its stage has; 0 where ``number`` is."""
    text: str

    @classmethod
    def parse(cls, name: str) -> Self:
        """The parts of a name."""
        found = _NAME.match(name)
        if found is None or found["stage"] in _INTERNAL:
            return cls(text=name)
        number, of = int(found["number"] or 0), int(found["of"] or 0)
        return cls(stage=found["stage"] or UNNAMED, number=number, of=of, text=found["text"])

    @property
    def place(self) -> str:
        """``aiter 3/7``; ``engine`` for the engine's own work."""
        return f"{self.stage} {self.number}/{self.of}" if self.number else self.stage or "engine"


@dataclass(frozen=True, slots=True, kw_only=True)
class CompilerCache:
    """What the compiler cache did for a step, as templates/files/compilers.sh counts it."""

    tool: str
    hits: int
    misses: int
    uncacheable: int
    """Calls of compilers that no cache answers: links, questions for a version."""

    @classmethod
    def parse(cls, line: str) -> Self | None:
        """The numbers in a line of a step's output, if it is theirs."""
        found = _COMPILED.fullmatch(line.strip())
        return found and cls(tool=found[1], hits=int(found[2]), misses=int(found[3]), uncacheable=int(found[4]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step that ran, or that the engine had."""

    name: StepName
    status: StepStatus
    started: float
    """Seconds since the epoch, by the engine's clock."""
    seconds: float
    layer_bytes: int | None = None
    """What it added to the image; None for a step of a stage that is not part of the image, and where there is none."""
    transferred: int | None = None
    """Bytes that were read, pulled or written for it; None where the engine does not say."""
    compiler_cache: CompilerCache | None = None
    """None for a step that compiles nothing, and where there is no compiler cache."""

    @property
    def place(self) -> str:
        """Stage and number."""
        return self.name.place

    def as_json(self) -> dict[str, Any]:
        """One element of ``steps`` in build/report.json."""
        return {
            "stage": self.name.stage,
            "number": self.name.number,
            "of": self.name.of,
            "command": " ".join(self.name.text.split()),
            "status": self.status,
            "cached": self.status == "cached",
            "started": moment(self.started),
            "ended": moment(self.started + self.seconds),
            "seconds": round(self.seconds, 3),
            "bytes": self.layer_bytes,
            "transferred": self.transferred,
            "compiler_cache": asdict(self.compiler_cache) if self.compiler_cache else None,
        }


def moment(seconds: float) -> str:
    """RFC 3339 in UTC with milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(slots=True)
class _Recorded:
    name: str
    started: float
    running: bool = True
    longest: tuple[float, float] | None = None
    """Beginning and length: a step begins several times, while the engine looks whether it has it already."""
    cached: bool = False
    error: str = ""
    cancelled: bool = False
    moved: dict[str, int] = field(default_factory=dict)
    compiler_cache: CompilerCache | None = None


class StepRecorder:
    """Collects the steps of one build from its events."""

    def __init__(self) -> None:
        self._steps: dict[str, _Recorded] = {}

    def event(self, event: Event) -> None:
        """The engine reported."""
        match event:
            case StepStarted(digest=digest, name=name, started=started):
                step = self._steps.setdefault(digest, _Recorded(name, started))
                step.started, step.running = started, True
            case StepFinished(digest=digest):
                step = self._steps.setdefault(digest, _Recorded(event.name, event.started))
                step.running = False
                if step.longest is None or event.error or event.seconds > step.longest[1]:
                    step.longest = (event.started, event.seconds)
                step.cached, step.error, step.cancelled = event.cached, event.error, event.cancelled
            case StepLog(digest=digest) if digest in self._steps and (found := CompilerCache.parse(event.text)):
                self._steps[digest].compiler_cache = found
            case Transfer(digest=digest) if digest in self._steps:
                moved = self._steps[digest].moved
                moved[event.id] = max(moved.get(event.id, 0), event.current)
            case _:
                pass

    def __bool__(self) -> bool:
        """Whether anything began."""
        return bool(self._steps)

    def place(self, digest: str) -> str:
        """Where a step belongs, as :attr:`StepName.place` says it; ``engine`` where it is not known."""
        step = self._steps.get(digest)
        return StepName.parse(step.name).place if step else "engine"

    def steps(self, history: Sequence[HistoryEntry] = (), stages: Iterable[str] = ()) -> tuple[Step, ...]:
        """Every step by the time when it began; one that still runs was cancelled.

        ``history`` is the image's, ``stages`` those of which it consists, lowest first: they tell the layers' sizes.
        """
        found = sorted(map(_step, self._steps.values()), key=lambda step: step.started)
        return _with_layers(tuple(found), history, tuple(stages))


def _step(recorded: _Recorded) -> Step:
    started, seconds = recorded.longest or (recorded.started, 0.0)
    if recorded.running:
        started, seconds = recorded.started, max(0.0, time.time() - recorded.started)
    status: StepStatus = "cached" if recorded.cached else "done"
    if recorded.running or recorded.cancelled:
        status = "cancelled"
    elif recorded.error:
        status = "failed"
    return Step(
        name=StepName.parse(recorded.name),
        status=status,
        started=started,
        seconds=seconds,
        transferred=sum(recorded.moved.values()) or None,
        compiler_cache=recorded.compiler_cache,
    )


def _with_layers(steps: tuple[Step, ...], history: Sequence[HistoryEntry], stages: tuple[str, ...]) -> tuple[Step, ...]:
    """The sizes of the history's last entries, if they are these steps one by one."""
    mine = sorted(
        (step for step in steps if step.name.stage in stages and _LAYERED.match(step.name.text)),
        key=lambda step: (stages.index(step.name.stage), step.name.number),
    )
    layers = [entry for entry in history if _LAYERED.match(entry.created_by)]
    layers = layers[max(0, len(layers) - len(mine)) :]
    if [_kind(step.name.text) for step in mine] != [_kind(entry.created_by) for entry in layers]:
        return steps
    sizes = {id(step): entry.size for step, entry in zip(mine, layers, strict=True)}
    return tuple(replace(step, layer_bytes=sizes[id(step)]) if id(step) in sizes else step for step in steps)


def _kind(instruction: str) -> str:
    return instruction.partition(" ")[0]


@contextmanager
def own_step(text: str, report: Callable[[Event], None]) -> Iterator[Callable[[Event | str], None]]:
    """Work for the base before the engine builds, told as a step.

    What it yields is called with lines of output and with the engine's events.
    """
    digest, started = f"rocmimg:{uuid.uuid4().hex}", time.time()
    name = f"[base] {text}"
    report(StepStarted(digest=digest, name=name, cached=False, started=started))

    def tell(said: Event | str) -> None:
        if isinstance(said, str):
            report(StepLog(digest=digest, stream=1, text=said, timestamp=time.time()))
        elif isinstance(said, Transfer):
            report(replace(said, digest=digest))
        else:
            report(said)

    error = ""
    try:
        yield tell
    except BaseException as problem:
        error = str(problem) or type(problem).__name__
        raise
    finally:
        seconds = max(0.0, time.time() - started)
        report(StepFinished(digest=digest, name=name, started=started, seconds=seconds, cached=False, error=error))
