"""``rocmimg status``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rocmimg.cli.options import Choice, selection_options
from rocmimg.cli.pages import Page, html_option, page_of
from rocmimg.terminal import json_text

if TYPE_CHECKING:
    from rocmimg.release.promote import Release
    from rocmimg.release.status import Entry


@click.command()
@selection_options
@click.option("--format", "form", type=click.Choice(["text", "markdown"]), default="text", show_default=True)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="An array of objects: id, kind, name, digest, when, who, proofs, states, overrides.",
)
@html_option
def command(
    choice: Choice,
    form: str,
    as_json: bool,
    html: Path | None,
) -> None:
    """Show for each alias, tag and candidate: its digest, since when, and what proves it."""
    from rocmimg.release.promote import open_release
    from rocmimg.release.status import status

    selected = choice.load(refs="known")
    page = page_of(html, selected.build_folder)
    release = open_release(selected.matrix, selected.ids, lambda text: click.echo(text, err=True))
    entries = status(release)
    if page:
        _write_page(page, release, entries)
    if as_json:
        click.echo(json_text([entry.as_json() for entry in entries]))
        return
    from rocmimg.report.markdown import table
    from rocmimg.report.table import print_table

    rows = []
    for entry in entries:
        for index, proof in enumerate(entry.proofs or [""]):
            head = (entry.id, entry.kind, entry.name or "none", entry.digest[:19], entry.when[:19], entry.who)
            rows.append((*(head if index == 0 else [""] * len(head)), proof))
    header = ("cell", "kind", "name", "digest", "when", "who", "proven by")
    if form == "markdown":
        click.echo(table(header, rows))
    else:
        print_table(header, rows)


def _write_page(page: Page, release: Release, entries: Sequence[Entry]) -> None:
    from rocmimg.cli.pages import planned
    from rocmimg.release.status import pasts
    from rocmimg.report.page import Run
    from rocmimg.report.page.model import Move, Name, Published

    past = pasts(release, entries)
    cells = []
    for image in release.images:
        mine = [entry for entry in entries if image.id in entry.id.split()]
        names = tuple(
            Name(
                kind=entry.kind,
                name=entry.name,
                digest=entry.digest,
                when=entry.when,
                who=entry.who,
                proofs=entry.proofs,
                states=entry.states,
                history=tuple(
                    Move(
                        when=move.record.when,
                        kind=move.record.kind,
                        who=move.record.who,
                        version=move.record.version,
                        digest=move.digest,
                        proofs=tuple(move.record.tiers.values()),
                        overridden=bool(move.record.overrides),
                    )
                    for move in past.moves.get(entry.name, ())
                ),
            )
            for entry in mine
        )
        before, after = (
            Published(label=label, digest=one.digest, layers=one.layers, pins=one.pins) if one else None
            for label, one in past.pairs.get(image.id, (("", None), ("", None)))
        )
        cells.append(replace(planned(image), stages=(), names=names, released=before, candidate=after))
    hosts = ", ".join(dict.fromkeys(str(one.reference.host) for one in release.repositories))
    page.write(Run(head=page.head("status", hosts, 0, release.images), cells=tuple(cells)))
