"""``rocmimg recipes``."""

from __future__ import annotations

from pathlib import Path

import click

from rocmimg.cli.options import file_option
from rocmimg.errors import ConfigError, did_you_mean
from rocmimg.terminal import json_text


@click.command()
@click.argument("name", default="")
@file_option("The matrix whose own recipes come first; none is needed.")
@click.option("--json", "as_json", is_flag=True, help="Objects: a recipe's file with all that it extends filled in.")
def command(name: str, file: Path, as_json: bool) -> None:
    """List the recipes of components, or say what one of them takes: its options, sources and flags."""
    from rocmimg.matrix.load import catalogue_of
    from rocmimg.matrix.reference import declared, recipe_lines, shown_value
    from rocmimg.report.table import print_table

    catalogue = catalogue_of(file)
    if name and name not in catalogue:
        raise ConfigError(f"there is no recipe {name!r}", next_step=did_you_mean(name, catalogue.names))
    chosen = [catalogue[one] for one in ([name] if name else catalogue.names)]
    if as_json:
        rows = [recipe.model_dump(mode="json") for recipe in chosen]
        click.echo(json_text(rows[0] if name else rows))
        return
    if not name:
        print_table(
            ("recipe", "sources", "installed as", "what it is"),
            [(one.name, " ".join(one.sources), " ".join(one.install), one.description) for one in chosen],
        )
        return
    (recipe,) = chosen
    click.echo(next(line for line in recipe_lines(recipe) if line and not line.startswith("#")))
    for title, table in (("option", recipe.options), ("flag", recipe.flags)):
        if table:
            click.echo()
            print_table(
                (title, "value", "default", "meaning"),
                [(key, declared(one), shown_value(one.default), one.help) for key, one in table.items()],
            )
    packages = {"builds with": recipe.apt.build, "needs in the image": (*recipe.apt.runtime, *recipe.apt.vendor)}
    for what, names in packages.items():
        if names:
            click.echo(f"\n{what}: {' '.join(names)}")
