"""Matrix -> Plan: pure but for reading the local sources."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from functools import cache, partial
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Final

from rocmimg import git
from rocmimg.engine.context import ContextFile
from rocmimg.matrix.cell import Cell, Matrix
from rocmimg.matrix.model import Network, Rootfs
from rocmimg.paths import cache_dir
from rocmimg.plan.adopted import adopted_image
from rocmimg.plan.expected import expected_image
from rocmimg.plan.manifest import image_manifest
from rocmimg.plan.model import CachedBuild, ImagePlan, Input, Plan, RootfsPlan, stage_of
from rocmimg.plan.recognition import LABEL_CELL
from rocmimg.plan.sources import digest, local_files
from rocmimg.render import Rendered, network_files, render
from rocmimg.render.caches import STORE, caches_of  # noqa: F401 - handed on by the package
from rocmimg.render.dockerfile import FILES, MANIFEST, ROOTFS, source_folder
from rocmimg.render.network import is_set

_GIT_TIMEOUT_S: Final = 10


def make_plan(matrix: Matrix, cell_ids: Sequence[str], *, rootfs: bool | None = None) -> Plan:
    """The plan of these cells and of the cells that they start from.

    ``rootfs`` says whether this machine can make a root file system; None looks for mmdebstrap.

    Raises:
        TemplateError, ConfigError: see :func:`rocmimg.render.render`.
        SourceError: a local source cannot be read.
    """
    if rootfs is None:
        rootfs = shutil.which("mmdebstrap") is not None
    graph: dict[str, list[str]] = {}
    waiting = list(cell_ids)
    while waiting:
        cell = matrix.cell(waiting.pop(0))
        graph[cell.id] = [cell.base_cell] if cell.base_cell else []
        waiting += [base for base in graph[cell.id] if base not in graph]
    rank = {cell.id: index for index, cell in enumerate(matrix.cells)}
    order = TopologicalSorter({name: graph[name] for name in sorted(graph, key=rank.__getitem__)}).static_order()
    return Plan(images=tuple(_image(matrix, matrix.cell(name), rootfs=rootfs) for name in order))


def _image(matrix: Matrix, cell: Cell, *, rootfs: bool) -> ImagePlan:
    if not cell.has_recipes:
        labels = {} if cell.prebuilt else _labels(matrix, cell, matrix.base_reference(cell, rootfs=rootfs))
        return adopted_image(matrix, cell, labels)
    rendered = render(matrix, cell, rootfs=rootfs)
    # How the network is reached does not change what is built: neither its mounts nor its files are an input.
    direct = replace(cell, config=cell.config.model_copy(update={"network": Network()}))
    neutral = render(matrix, direct, rootfs=rootfs) if is_set(cell.config.network) else rendered
    inputs = [
        Input(kind="stage", name=stage.name, stage=stage.name, sha256=_sha256(stage.text)) for stage in neutral.stages
    ]
    context: list[ContextFile] = []
    root = None
    if rendered.base == "scratch" and cell.config.base.rootfs:
        root = _rootfs(cell.config.base.rootfs)
        context.append(ContextFile(path=ROOTFS, data=root.archive))
        inputs.append(Input(kind="rootfs", stage="base", sha256=root.key))
    sources: dict[str, str] = {}
    for component in cell.components:
        if component.local:
            prefix = str(source_folder(cell, component))
            if prefix not in sources:
                place = cell.position("components", component.name, "source")
                files = local_files(matrix.folder / component.local, prefix, place, output=matrix.folder / "build")
                sources[prefix] = digest(files)
                context += files
            stage = stage_of(component, rendered.stages)
            inputs.append(Input(kind="source", name=component.name, stage=stage, sha256=sources[prefix]))
    users = {(name, stage.name) for stage in rendered.stages for name in stage.files}
    programs: dict[str, bytes] = {}
    for name, stage in sorted(users):
        path = matrix.catalogue.file(name)
        assert path is not None, "rendering has looked"  # noqa: S101
        programs[name] = path.read_bytes()
        inputs.append(Input(kind="file", name=name, stage=stage, sha256=hashlib.sha256(programs[name]).hexdigest()))
    context += [ContextFile(path=f"{FILES}/{name}", data=data) for name, data in programs.items()]
    expected = expected_image(matrix, cell, rootfs=rootfs, labels=_labels(matrix, cell, rendered.base))
    manifest = image_manifest(expected, {one.label: one.sha256 for one in inputs})
    inputs.append(Input(kind="manifest", stage="final", sha256=hashlib.sha256(manifest).hexdigest()))
    context.append(ContextFile(path=MANIFEST, data=manifest))
    context += [
        ContextFile(path=path, data=data) for path, data in network_files(cell.config.network, matrix.folder).items()
    ]
    return ImagePlan(
        with_caches=partial(_with_caches, matrix, cell, rendered, rootfs),
        cell=cell,
        dockerfile=rendered.text,
        stages=rendered.stages,
        context=tuple(sorted(context, key=lambda file: file.path)),
        base=rendered.base,
        rootfs=root,
        inputs=tuple(inputs),
        expected=expected,
    )


def _with_caches(matrix: Matrix, cell: Cell, plain: Rendered, rootfs: bool, store: bool) -> CachedBuild:
    rendered = render(matrix, cell, rootfs=rootfs, caches=caches_of(cell, plain, store=store))
    programs = {name for stage in rendered.stages for name in stage.files}
    known = {name for stage in plain.stages for name in stage.files}
    context = [
        ContextFile(path=f"{FILES}/{name}", data=path.read_bytes())
        for name in sorted(programs - known)
        if (path := matrix.catalogue.file(name))
    ]
    return CachedBuild(dockerfile=rendered.text, context=tuple(context))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _rootfs(rootfs: Rootfs) -> RootfsPlan:
    key = _sha256(rootfs.model_dump_json(exclude={"snapshot"}))[:16]
    return RootfsPlan(rootfs=rootfs, key=key, archive=cache_dir() / "rootfs" / f"{rootfs.suite}-{key}.tar")


def _labels(matrix: Matrix, cell: Cell, base: str) -> dict[str, str]:
    labels = {
        "org.opencontainers.image.title": cell.id,
        "org.opencontainers.image.description": cell.config.description,
        "org.opencontainers.image.source": cell.config.source_url,
        "org.opencontainers.image.version": cell.config.version,
        "org.opencontainers.image.revision": _revision(matrix.folder.resolve()),
        "org.opencontainers.image.base.name": base,
        LABEL_CELL: cell.id,
    }
    return {name: value for name, value in (labels | dict(cell.config.labels)).items() if value}


@cache
def _revision(folder: Path) -> str:
    """The commit that images.yaml is from, with ``-dirty`` where files differ; empty outside git."""
    try:
        done = git.run(
            ["describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"], timeout=_GIT_TIMEOUT_S, folder=folder
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else ""
