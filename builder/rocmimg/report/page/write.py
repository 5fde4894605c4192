"""A run as one HTML file that can be attached, archived and opened anywhere."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Final

from rocmimg.checks.classes import CLASSES
from rocmimg.paths import write_atomic
from rocmimg.report.page import pictures, sections, svg, troubles
from rocmimg.report.page.grid import grid
from rocmimg.report.page.model import Head, Run
from rocmimg.report.page.places import GLYPHS, anchor
from rocmimg.report.page.verdict import verdict
from rocmimg.report.page.words import duration
from rocmimg.terminal import harmless

DOCS: Final = "https://github.com/rocmimg/rocmimg/blob/main/docs"
_TITLES: Final = {"build": "Cells", "test": "Images", "plan": "Cells", "status": "Cells"}


def write_page(run: Run, path: Path) -> None:
    """Write the page as a whole or not at all; without what draws, without pictures, and it says so."""
    write_atomic(path, render(run, path))


def render(run: Run, path: Path) -> str:
    """The page's text; ``path`` is where it will be, for links to logs."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("rocmimg.report", "page"),
        autoescape=True,
        finalize=lambda value: harmless(value) if type(value) is str else value,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    drawn = svg.available()
    scale, fills = pictures.scales(run), pictures.fills(run)
    cells = sections.sections(run, path, scale, fills, drawn=drawn)
    text = environment.get_template("page.html.j2").render(
        head=run.head,
        verdict=verdict(run),
        facts=_facts(run.head),
        notes=(
            *run.notes,
            *(() if drawn else (f"Pictures are left out: what draws them is not installed; {svg.HOW}",)),
        ),
        grid=grid(run),
        failures=troubles.failures(run, path),
        missing=troubles.missing(run),
        pictures=pictures.pictures_of_run(run) if drawn else [],
        sections=cells,
        sections_title=_TITLES[run.head.verb],
        explained=troubles.explained(run),
        meanings=CLASSES,
        glyphs=GLYPHS,
        anchor=anchor,
        docs=DOCS,
        style=Markup(files("rocmimg.report.page").joinpath("page.css").read_text(encoding="utf-8")),  # noqa: S704
    )
    return str(text)


def _facts(head: Head) -> tuple[tuple[str, str], ...]:
    return (
        ("when", f"{head.when[:16].replace('T', ' ')} UTC"),
        ("took", duration(head.seconds) if head.seconds else ""),
        ("who", head.who),
        ("commit", head.commit.replace(head.commit[12:40], "")),
        ("registry" if head.verb == "status" else "engine", head.engine),
        ("GPU", head.device or ("none" if head.verb == "test" else "")),
        ("rocmimg", head.version),
    )
