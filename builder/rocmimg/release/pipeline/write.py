"""Pipelines as YAML."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import yaml

from rocmimg.release.pipeline import buildkite, github, gitlab
from rocmimg.release.pipeline.model import Pipeline

FORMS: Final[dict[str, tuple[Path, Callable[[Pipeline], dict[str, Any]]]]] = {
    "github": (Path(".github/workflows/images.yml"), github.workflow),
    "gitlab": (Path(".gitlab-ci.yml"), gitlab.pipeline_file),
    "buildkite": (Path(".buildkite/pipeline.yml"), buildkite.pipeline_file),
}
"""Form -> where its CI looks for the file, and what makes it."""
_HEADER: Final = (
    "# Written by `rocmimg export ci {form}` from images.yaml: change that file and write this one again.\n"
)


class _Dumper(yaml.SafeDumper):
    """Scripts as blocks, and no anchors: every job can be read by itself."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)


def write(pipeline: Pipeline, form: str) -> str:
    """The pipeline in the words of ``form``."""
    text = yaml.dump(FORMS[form][1](pipeline), Dumper=_Dumper, sort_keys=False, width=1000)
    for action, version in github.VERSIONS.items():
        text = text.replace(f"uses: {action}\n", f"uses: {action} # {version}\n")
    return _HEADER.format(form=form) + text
