"""One call a cell, where the failure of one leaves the others alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from rocmimg.errors import RocmimgError
from rocmimg.plan import ImagePlan
from rocmimg.release.progress import Progress

T = TypeVar("T")


@dataclass(slots=True)
class Outcome(Generic[T]):
    """What came of it."""

    done: list[T] = field(default_factory=list)
    errors: list[RocmimgError] = field(default_factory=list)

    def report(self, echo: Callable[..., Any]) -> int:
        """Write the failures to standard error; the exit code: 0, or the first failure's."""
        for error in self.errors:
            echo(f"rocmimg: {error.kind}: {error}", err=True)
        return self.errors[0].exit_code if self.errors else 0


def each(images: Iterable[ImagePlan], call: Callable[[ImagePlan, Progress], T]) -> Outcome[T]:
    """Call for every image, one after the other: engine and registry share one link."""
    outcome: Outcome[T] = Outcome()
    for image in images:
        progress = Progress(image.id)
        try:
            outcome.done.append(call(image, progress))
        except RocmimgError as error:
            outcome.errors.append(error)
        finally:
            progress.close()
    return outcome
