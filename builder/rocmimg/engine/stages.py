"""A Dockerfile as one build per stage, for podman.

Podman (buildah) loses track of a stage that a later step mounts. Measured: 4.3 mounts a cached stage without its
content, and takes a step from its cache though the stage or the context's folder that it mounts has changed; 5.8 does
so when a stage changes back. Neither fails, so the image is wrong without a word. And an interrupted build whose stages
wait for each other ends the whole service ("semaphore: released more than held"). None of it happens where each build
has one stage, other stages are named by their image's id, and a mounted folder of the context by its content.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import dockerfile

from rocmimg.engine.context import ContextFile
from rocmimg.engine.types import BuildRequest
from rocmimg.errors import SourceError
from rocmimg.stages import Stage, mount_fields, parse

_PLACE_NAME: Final = ".rocmimg-mount"
_PLACE: Final = re.compile(rf"{re.escape(_PLACE_NAME)}/[0-9a-f]+/")


def build_by_stage(request: BuildRequest, build: Callable[[BuildRequest, str, Callable[[str], str]], str]) -> str:
    """Build what ``request`` needs, stage by stage; the id of the last one's image.

    ``build`` gets each build, the stage's name ("" for the only one), and what turns its text into the user's again.

    Raises:
        BuildError: the Dockerfile cannot be read, or has no such target.
        SourceError: a mounted file of the context cannot be read.
    """
    parsed = parse(request.dockerfile, request.build_args)
    *before, last = parsed.needed(request.target)
    context = tuple(request.context)
    ids: dict[str, str] = {}

    def made(number: int, part: BuildRequest, *end: str) -> str:
        stage = parsed.stages[number]
        rewrite = _Rewrite(ids=ids, context=context)
        steps = (rewrite.step(step, parsed.text(step)) for step in stage.steps[1:])
        text = "\n".join(filter(None, (parsed.head, rewrite.start(stage), *steps, *end))) + "\n"
        part = replace(part, dockerfile=text, context=(*context, *rewrite.mounted.values()), target=None)
        return build(part, stage.name if len(parsed.stages) > 1 else "", _undo(ids))

    for number in before:
        image = made(number, replace(request, tags=(), labels={}))
        ids[str(number)] = ids[parsed.stages[number].name.lower()] = image
    arguments, end = _labels(request.labels)
    return made(last, replace(request, labels={}, build_args={**request.build_args, **arguments}), end)


def _undo(ids: Mapping[str, str]) -> Callable[[str], str]:
    names = {image: name for name, image in ids.items()}

    def shown(text: str) -> str:
        for image, name in names.items():
            text = text.replace(image, name)
        return _PLACE.sub("", text)

    return shown


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rewrite:
    """The steps of one stage, with images in place of the names of other stages."""

    ids: Mapping[str, str]
    context: Sequence[ContextFile]
    mounted: dict[str, ContextFile] = field(default_factory=dict)
    """What the steps mount of the context, once more, in folders that are named by their content."""

    def start(self, stage: Stage) -> str:
        _, *alias = stage.steps[0].value
        base = self.ids.get(stage.base.lower(), stage.base)
        return " ".join(("FROM", *stage.steps[0].flags, base, *alias))

    def step(self, step: dockerfile.Command, text: str) -> str:
        for flag in step.flags:
            name, _, value = flag.partition("=")
            match name.lower():
                case "--from":
                    new = self.ids.get(value.lower(), value)
                case "--mount":
                    new = self._mount(mount_fields(value)) or value
                case _:
                    continue
            text = text.replace(flag, f"{name}={new}", 1)
        return text

    def _mount(self, fields: dict[str, str]) -> str:
        """The new text of a mount, "" where it stays as it is."""
        if stage := fields.get("from"):
            if stage.lower() not in self.ids:
                return ""
            fields["from"] = self.ids[stage.lower()]
        else:
            source = posixpath.normpath(f"/{fields.get('source', '')}").strip("/")
            if fields["type"] != "bind" or "$" in source:
                return ""
            found = [one for one in self.context if not source or f"{one.path}/".startswith(f"{source}/")]
            place = f"{_PLACE_NAME}/{_digest(found)}"
            for one in found:
                self.mounted[f"{place}/{one.path}"] = replace(one, path=f"{place}/{one.path}")
            fields["source"] = f"{place}/{source}"
        return ",".join(f"{key}={value}" if value else key for key, value in fields.items())


def _digest(files: Iterable[ContextFile]) -> str:
    total = hashlib.sha256()
    for file in files:
        content = hashlib.sha256()
        if isinstance(file.data, bytes):
            content.update(file.data)
        else:
            _read_into(content, file.data)
        total.update(f"{file.path}\0{file.mode:o}\0{file.link}\0{content.hexdigest()}\n".encode())
    return total.hexdigest()[:24]


def _read_into(content: hashlib._Hash, path: Path) -> None:
    try:
        with path.open("rb") as source:
            while chunk := source.read(1 << 20):
                content.update(chunk)
    except OSError as error:
        raise SourceError(f"cannot read {path}", why=error.strerror or str(error)) from error


def _labels(labels: Mapping[str, str]) -> tuple[dict[str, str], str]:
    """Build arguments, and the instructions that set ``labels``.

    Podman applies the labels of a call in random order, and 5.8 expands variables in them. An instruction cannot hold
    the end of a line, an argument can.
    """
    arguments = {f"ROCMIMG_LABEL_{n}": value for n, value in enumerate(labels.values()) if "\n" in value}
    names = {value: name for name, value in arguments.items()}
    pairs = [
        f'{_quoted(name)}="${names[value]}"' if value in names else f"{_quoted(name)}={_quoted(value)}"
        for name, value in sorted(labels.items())
    ]
    return arguments, "\n".join([*(f"ARG {name}" for name in arguments), f"LABEL {' '.join(pairs)}"]) if pairs else ""


def _quoted(text: str) -> str:
    return '"' + re.sub(r'([\\"$])', r"\\\1", text) + '"'
