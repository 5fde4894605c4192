"""``rocmimg export``."""

from __future__ import annotations

import click

from rocmimg.cli.groups import LazyGroup

VERBS = {
    "ci": ("Commands", "Write a pipeline for GitHub, GitLab or Buildkite."),
    "bake": ("Commands", "Write docker-bake.json for any BuildKit."),
    "schema": ("Commands", "Print the JSON schema of images.yaml."),
    "reference": ("Commands", "Print the reference of images.yaml and of the recipes."),
}


@click.group(cls=LazyGroup, package=__name__, verbs=VERBS)
def command() -> None:
    """Write the matrix in the form that another tool reads."""
