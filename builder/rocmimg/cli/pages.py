"""``--html``: what the verbs know, brought to the page."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from rocmimg.builds.layers import Layers
    from rocmimg.checks.model import ImageResult
    from rocmimg.plan import ImagePlan, Plan
    from rocmimg.report.page.model import Build, Cell, Head, Run, Verb

R = TypeVar("R")


def html_option(function: Callable[..., R]) -> Callable[..., R]:
    """``--html FILE``."""
    return click.option(
        "--html", type=click.Path(path_type=Path, dir_okay=False), help="Write a page for people, in one file."
    )(function)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Where the page goes, and what was there before this run."""

    path: Path
    folder: Path
    """The build folder: the last build's report and the results of checks are there."""
    began: float = field(default_factory=time.monotonic)

    def head(self, verb: Verb, engine: str, exit_code: int, images: Sequence[ImagePlan], device: str = "") -> Head:
        """What this run was."""
        from rocmimg import __version__
        from rocmimg.release.records import actor
        from rocmimg.report.page.model import Head

        revisions = (image.labels.get("org.opencontainers.image.revision", "") for image in images)
        return Head(
            verb=verb,
            when=datetime.now(UTC).isoformat(timespec="seconds"),
            who=actor(),
            commit=next(filter(None, revisions), ""),
            engine=engine,
            device=device,
            version=__version__,
            seconds=time.monotonic() - self.began,
            exit_code=exit_code,
        )

    def builds(self) -> dict[str, Build]:
        """What the last build here did."""
        from rocmimg.report.page.records import build_of

        return {row["id"]: build_of(row) for row in _rows(self.folder / "report.json")}

    def checked(self, images: Mapping[str, str | None]) -> dict[str, ImageResult]:
        """Earlier results of exactly these images, cell -> id."""
        from rocmimg.checks.model import file_name, result_from_json

        found = {}
        for cell, image_id in images.items():
            for row in _rows(self.folder / "results" / f"{file_name(cell)}.json"):
                if image_id and row.get("image_id") == image_id:
                    with contextlib.suppress(ValueError):  # of another version
                        found[cell] = result_from_json(row)
        return found

    def write(self, run: Run) -> None:
        """Write it, and say where it is."""
        from rocmimg.report.page import write_page

        write_page(run, self.path)


def page_of(path: Path | None, folder: Path) -> Page | None:
    """None where no page is asked for."""
    return Page(path=path, folder=folder) if path else None


def planned(image: ImagePlan, rebuilt: Mapping[str, str] | None = None) -> Cell:
    """What the plan says of a cell."""
    from rocmimg.report.page.model import Cell
    from rocmimg.report.page.records import pins_of, stages_of

    return Cell(
        id=image.id,
        archs=image.cell.archs,
        base=image.needs or base_of(image),
        stages=stages_of(image, rebuilt),
        pins=pins_of(image),
    )


def with_layers(cell: Cell, layers: Layers | None) -> Cell:
    """The cell with the sizes of its image's layers."""
    from rocmimg.report.page.records import layers_of

    if layers is None:
        return cell
    return replace(cell, layers=layers_of([(one.created_by, one.size) for one in layers.entries], layers.of_base))


def bases_of(plan: Plan, images: Mapping[str, str | None]) -> dict[str, tuple[str, str]]:
    """Cell -> its image's id and the reference of its base."""
    return {cell: (image_id, base_of(plan[cell])) for cell, image_id in images.items() if image_id}


def base_of(image: ImagePlan) -> str:
    """The reference of an image's base; empty for one that others build, whose base nobody names."""
    return "" if image.prebuilt else image.base


def _rows(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSON file; none where it is missing or broken."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return []
    rows = value if isinstance(value, list) else [value]
    return [row for row in rows if isinstance(row, dict)]
