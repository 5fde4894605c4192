"""``rocmimg plan``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rocmimg.cli import complete
from rocmimg.cli.options import Choice, selection_options
from rocmimg.cli.pages import Page, html_option, page_of
from rocmimg.terminal import json_text

if TYPE_CHECKING:
    from rocmimg.builds import Decision
    from rocmimg.engine import Engine
    from rocmimg.plan import Plan
    from rocmimg.plan.changed import Rebuild


@click.command()
@selection_options
@click.option(
    "--changed",
    metavar="component=NAME",
    multiple=True,
    shell_complete=complete.changes,
    help="Say instead what another pin of this component would rebuild. Repeatable.",
)
@click.option("--changed-since", metavar="COMMIT", help="Say instead what changed in the matrix since COMMIT rebuilds.")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="An array of objects: id, action, reasons, digest, image_id, refs; for a change: id, rebuilt, kept.",
)
@html_option
def command(
    choice: Choice,
    changed: tuple[str, ...],
    changed_since: str | None,
    as_json: bool,
    html: Path | None,
) -> None:
    """Say for each cell whether it would be built, and which input changed.

    With --changed or --changed-since: which stages of which cells a change rebuilds, without asking the engine.
    """
    from rocmimg.builds import decide_all
    from rocmimg.engine import connect
    from rocmimg.lock.file import lock_path, read_lock
    from rocmimg.lock.refs import used_refs

    # Another commit of the matrix is compared by the names that it has.
    selected = choice.load(refs="named" if changed or changed_since else "now")
    plan = selected.plan()
    page = page_of(html, selected.build_folder)
    if changed or changed_since:
        rebuilds = _rebuilds(plan, choice.file, changed, changed_since)
        if page:
            _write_rebuilds(page, plan, rebuilds)
        _print_rebuilds(rebuilds, as_json)
        return
    with connect() as engine:
        decisions = decide_all(plan, engine.images())
        if page:
            _write_page(page, plan, engine, decisions)
    refs = list(used_refs(selected.matrix, selected.ids, read_lock(lock_path(selected.matrix.path))))
    if as_json:
        rows = [
            {**decision.as_json(), "refs": [used.as_json() for used in refs if used.cell == decision.id]}
            for decision in decisions
        ]
        click.echo(json_text(rows))
        return
    from rocmimg.report.table import print_table

    for used in refs:
        shown = f"{used.commit[:12]}, {used.origin}" if used.commit else used.origin
        click.echo(f"{used.cell}: {used.component} {used.ref}: {shown}", err=True)
    print_table(("cell", "action", "why"), [(d.id, d.action, "; ".join(d.reasons)) for d in decisions])


def _rebuilds(plan: Plan, file: Path, changed: tuple[str, ...], changed_since: str | None) -> tuple[Rebuild, ...]:
    from rocmimg.plan.changed import after_change_of, between, plan_at

    if changed and changed_since:
        raise click.UsageError("--changed and --changed-since exclude each other.")
    if changed_since:
        return between(plan_at(file, changed_since, [image.id for image in plan.images]), plan)
    names = []
    for text in changed:
        kind, _, name = text.partition("=")
        if kind != "component" or not name:
            raise click.UsageError(f"--changed {text}: write component=NAME.")
        names.append(name)
    return after_change_of(plan, names)


def _write_page(page: Page, plan: Plan, engine: Engine, decisions: Sequence[Decision]) -> None:
    from rocmimg.builds.layers import layers_of
    from rocmimg.cli.pages import bases_of, planned, with_layers
    from rocmimg.report.page import Run
    from rocmimg.report.page.model import Decision as Shown

    images = {decision.id: decision.image_id for decision in decisions}
    layers, checked, builds = layers_of(engine, bases_of(plan, images)), page.checked(images), page.builds()
    cells = []
    for one in decisions:
        cell = with_layers(planned(plan[one.id]), layers.get(one.id))
        build = builds.get(one.id)
        same = build is not None and one.image_id is not None and build.image_id == one.image_id
        shown = Shown(action=one.action, reasons=one.reasons)
        cells.append(replace(cell, decision=shown, build=build if same else None, checks=checked.get(one.id)))
    head = page.head("plan", f"{engine.info.kind} {engine.info.version}", 0, plan.images)
    page.write(Run(head=head, cells=tuple(cells)))


def _write_rebuilds(page: Page, plan: Plan, rebuilds: Sequence[Rebuild]) -> None:
    from rocmimg.cli.pages import planned
    from rocmimg.report.page import Run

    cells = tuple(planned(plan[one.id], one.stages) for one in rebuilds)
    page.write(Run(head=page.head("plan", "not asked", 0, plan.images), cells=cells))


def _print_rebuilds(rebuilds: tuple[Rebuild, ...], as_json: bool) -> None:
    affected = [rebuild for rebuild in rebuilds if rebuild.stages]
    if as_json:
        click.echo(json_text([rebuild.as_json() for rebuild in rebuilds]))
    elif affected:
        from rocmimg.report.table import print_table

        shown = [
            (
                r.id,
                ", ".join(r.stages),
                f"{len(r.kept)} of {len(r.stages) + len(r.kept)}",
                next(iter(r.stages.values())),
            )
            for r in affected
        ]
        print_table(("cell", "stages rebuilt", "kept", "because"), shown)
    else:
        click.echo("nothing is rebuilt")
