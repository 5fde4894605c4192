"""Plans of images that no recipe makes: from a Dockerfile of the project's own, or built by another pipeline."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from rocmimg.engine.context import ContextFile
from rocmimg.matrix.cell import Cell, Matrix
from rocmimg.plan.context import Context, used_by
from rocmimg.plan.expected import expected_image
from rocmimg.plan.model import ImagePlan, Input
from rocmimg.plan.sources import digest
from rocmimg.render import Stage, proxy_arguments


def adopted_image(matrix: Matrix, cell: Cell, labels: Mapping[str, str]) -> ImagePlan:
    """The plan of a cell without recipes.

    Raises:
        ConfigError: its Dockerfile cannot be read.
        SourceError: a file of its context cannot be read.
    """
    expected = expected_image(matrix, cell, labels=labels)
    if not cell.dockerfile:
        named = Input(kind="image", name="", stage="", sha256=_sha256(cell.prebuilt))
        return ImagePlan(
            cell=cell, dockerfile="", stages=(), context=(), base=cell.prebuilt, rootfs=None, inputs=(named,),
            expected=expected,
        )  # fmt: skip
    own, arguments = cell.dockerfile, cell.build_args
    text, stages = own_stages(cell)
    parsed = own.pinned_stages(arguments)
    chosen = [parsed.stages[number] for number in parsed.needed(own.stage or None)]
    inputs = [Input(kind="head", stage=chosen[0].name, sha256=_sha256(_instructions(parsed.head)))]
    inputs += [Input(kind="stage", name=one.name, stage=one.name, sha256=_sha256(one.text)) for one in stages]
    says = [cell.id, cell.config.version, cell.config.description, dict(cell.config.labels)]
    said = json.dumps(says, sort_keys=True)  # in labels: another version is another image
    inputs.append(Input(kind="manifest", stage=chosen[-1].name, sha256=_sha256(said)))
    for name, value in arguments.items():
        users = [stage.name for stage in chosen if name in stage.arguments]
        if users or name in parsed.arguments:
            first = users[0] if users else chosen[0].name
            inputs.append(Input(kind="argument", name=name, stage=first, sha256=_sha256(value)))
    context = Context(own.context, own.path, cell.position("dockerfile", "context"), output=matrix.folder / "build")
    sent: dict[str, ContextFile] = {}
    for stage in chosen:
        for source in used_by(parsed, stage, arguments):
            files = context.matching(source)
            sent |= {file.path: file for file in files}
            inputs.append(Input(kind="context", name=source or ".", stage=stage.name, sha256=digest(files)))
    base = matrix.base_reference(cell, rootfs=False)
    others = (one.reference for one in parsed.outside(own.stage or None))
    return ImagePlan(
        cell=cell,
        dockerfile=text,
        stages=stages,
        context=tuple(sent[path] for path in sorted(sent)),
        base=base,
        rootfs=None,
        inputs=tuple(dict.fromkeys(inputs)),
        expected=expected,
        build_args={**proxy_arguments(cell.config.network), **arguments},
        target=own.stage,
        other_images=tuple(one for one in others if one not in (base, cell.config.base.image)),
    )


def own_stages(cell: Cell) -> tuple[str, tuple[Stage, ...]]:
    """The Dockerfile of a cell without recipes, with the lock's digests, and the stages of it that the image needs."""
    if not cell.dockerfile:
        return "", ()
    own = cell.dockerfile
    parsed = own.pinned_stages(cell.build_args)
    stages = tuple(
        Stage(
            name=parsed.stages[number].name,
            text="".join(f"{parsed.text(step)}\n" for step in parsed.stages[number].steps),
            uses=tuple(parsed.stages[used].name for used in sorted(parsed.stages[number].needs)),
        )
        for number in parsed.needed(own.stage or None)
    )
    return "\n".join(parsed.lines), stages


def _instructions(head: str) -> str:
    """The head without comments but those that tell the builder something."""
    lines = (line for line in head.splitlines() if line.strip())
    return "\n".join(line for line in lines if not line.startswith("#") or "=" in line)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
