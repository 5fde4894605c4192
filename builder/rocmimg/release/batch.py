"""One call per image, where the failure of one does not stop the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from rocmimg.engine import Event, Transfer
from rocmimg.errors import RocmimgError, of_os_error
from rocmimg.plan import ImagePlan
from rocmimg.terminal import console as terminal_console
from rocmimg.terminal import harmless

T = TypeVar("T")
_DONE = frozenset({"Pushed", "Layer already exists", "Pull complete", "Already exists"})


@dataclass(slots=True)
class BatchResult(Generic[T]):
    """What was done, and what failed."""

    done: list[T] = field(default_factory=list)
    errors: list[RocmimgError] = field(default_factory=list)

    def report(self, echo: Callable[..., Any]) -> int:
        """Write the failures to standard error; the exit code: 0, or the first failure's."""
        for error in self.errors:
            echo(f"rocmimg: {error.kind}: {error}", err=True)
        return self.errors[0].exit_code if self.errors else 0


def for_each_image(
    images: Iterable[ImagePlan],
    call: Callable[[ImagePlan, Callable[[Event], None]], T],
    console: Console | None = None,
) -> BatchResult[T]:
    """Call for every image, one after the other: engine and registry share one link.

    The transfers are shown on standard error: as bars on a terminal, elsewhere one line per layer.
    """
    console = console or terminal_console(stderr=True, soft_wrap=True, highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    batch: BatchResult[T] = BatchResult()
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        for image in images:
            try:
                batch.done.append(call(image, _Transfers(image.id, progress)))
            except RocmimgError as error:
                batch.errors.append(error)
            except OSError as error:
                batch.errors.append(of_os_error(error, f"{image.id}: a file cannot be written or read"))
    return batch


class _Transfers:
    """The layers of one push or pull."""

    def __init__(self, cell_id: str, progress: Progress) -> None:
        self._cell = cell_id
        self._progress = progress
        self._task = progress.add_task(cell_id, total=None)
        self._layers: dict[str, tuple[bool, int, int]] = {}

    def __call__(self, event: Event) -> None:
        if not isinstance(event, Transfer) or not event.id or event.what.startswith(("The push", "Pulling from")):
            return
        known = self._layers.get(event.id, (False, 0, 0))
        done = event.what in _DONE
        total = max(event.total, known[2])
        self._layers[event.id] = (done, total if done else max(event.current, known[1]), total)
        layers = self._layers.values()
        self._progress.update(
            self._task,
            description=f"{self._cell}: {sum(layer[0] for layer in layers)} of {len(layers)} layers",
            completed=sum(layer[1] for layer in layers),
            total=sum(layer[2] for layer in layers),
        )
        if done and not known[0] and not self._progress.console.is_terminal:
            self._progress.console.print(harmless(f"{self._cell}: {event.id}: {event.what.lower()}"), markup=False)
