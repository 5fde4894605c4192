"""Push candidates, and the proofs that belong to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rocmimg.errors import BuildError, EngineError, NotProven, RegistryDenied, RegistryError, TagTaken
from rocmimg.plan import ImagePlan
from rocmimg.registry import INDEX_TYPES, Manifest
from rocmimg.registry.client import Registries, Repository
from rocmimg.release import records, sbom
from rocmimg.release.candidates import candidates, fits, newest_fitting, read_config, repository_of, tag_of
from rocmimg.release.provenance import statement

if TYPE_CHECKING:
    from rocmimg.engine import Engine, Event, ImageDetail

_PUSHES: Final = 2
"""The engine itself tries each layer five times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """A candidate after a push."""

    id: str
    reference: str
    """Repository and candidate tag."""
    digest: str
    new: bool
    """False where the registry had it already."""
    attached: tuple[str, ...]
    """What was attached to it now: provenance, sbom, results."""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def push_candidate(
    image: ImagePlan, engine: Engine, registries: Registries, folder: Path, on_event: Callable[[Event], None]
) -> Pushed:
    """Push what the engine has of a cell. ``folder`` is where build/ keeps results, provenance and SBOMs.

    Raises:
        NotProven: the file of results is broken.
        BuildError: the engine has no image of the cell, or one that was built from something else.
        RegistryDenied: these credentials may not push; nothing was sent.
        TagTaken: the candidate's tag names another image.
        RegistryError: the registry does not have the whole image after the push.
    """
    path = folder / "results" / f"{image.id}.json"
    result = records.read_result(path, image.id) if path.exists() else None
    local = _local(image, engine)
    repository = repository_of(image, registries)
    repository.require_push()
    tag = tag_of(image.id, local.created, local.id)
    reference = f"{repository}:{tag}"
    manifest = repository.manifest(tag)
    new = manifest is None
    if manifest is None:
        manifest = _push(local, reference, engine, repository, tag, on_event)
    elif local.id not in records.ids_of(manifest):
        raise TagTaken(
            f"{reference} names another image",
            why=f"the registry has {manifest.digest}, and the engine's image is {local.id}",
            next_step=f"find out who pushed it; `rocmimg build --no-cache {image.id}` makes an image with another tag",
        )
    _require_whole(repository, manifest)
    attached = _attach_documents(image, local, repository, manifest, folder)
    if (
        result and records.is_about(result, manifest) and records.attach_result(result, repository, manifest)
    ):  # not of an earlier build
        attached.append("results")
    return Pushed(id=image.id, reference=reference, digest=manifest.digest, new=new, attached=tuple(attached))


def push_results(image: ImagePlan, registries: Registries, folder: Path) -> Pushed:
    """Attach build/results/<cell>.json to the candidate whose image it is about.

    Raises:
        NotProven: there are no results, or no candidate is that image.
    """
    path = folder / "results" / f"{image.id}.json"
    result = records.read_result(path, image.id)
    repository = repository_of(image, registries)
    repository.require_push()
    for candidate in candidates(image, repository):
        if records.is_about(result, candidate.manifest):
            new = records.attach_result(result, repository, candidate.manifest)
            return Pushed(
                id=image.id,
                reference=f"{repository}:{candidate.tag}",
                digest=candidate.digest,
                new=new,
                attached=("results",) if new else (),
            )
    raise NotProven(
        f"no candidate of {image.id} is the image that was checked",
        why=f"{path} is about {result.image_id}",
        next_step=f"run `rocmimg push --candidate {image.id}` where that image is, or check a candidate: "
        f"`rocmimg pull {image.id}` and `rocmimg test {image.id}`",
    )


def pull_candidate(
    image: ImagePlan, engine: Engine, registries: Registries, on_event: Callable[[Event], None]
) -> Pushed:
    """Bring the newest fitting candidate of a cell to the engine, under the names that a build would give it.

    Raises:
        GateRefused: there is none.
    """
    repository = repository_of(image, registries)
    candidate = newest_fitting(image, repository)
    reference = f"{repository}@{candidate.digest}"
    new = engine.image(reference) is None
    if new:
        engine.pull(reference, on_event)
    for tag in image.cell.tags:
        engine.tag(reference, tag)
    return Pushed(id=image.id, reference=f"{repository}:{candidate.tag}", digest=candidate.digest, new=new, attached=())


def _local(image: ImagePlan, engine: Engine) -> ImageDetail:
    found = engine.image(image.cell.tags[0]) if image.cell.tags else None
    if found is None:
        raise BuildError(f"the engine has no image of {image.id}", next_step=f"run `rocmimg build {image.id}`")
    if not fits(found.labels, image):
        raise BuildError(
            f"the engine's image of {image.id} was built from something else than images.yaml says now",
            next_step=f"run `rocmimg build {image.id}`; `rocmimg plan {image.id}` says what changed",
        )
    return found


def _push(
    local: ImageDetail,
    reference: str,
    engine: Engine,
    repository: Repository,
    tag: str,
    on_event: Callable[[Event], None],
) -> Manifest:
    engine.tag(local.id, reference)
    try:
        for attempt in range(1, _PUSHES + 1):
            try:
                digest = engine.push(reference, on_event)
                break
            except RegistryDenied:
                raise
            except (RegistryError, EngineError):
                repository.require_push()  # says it better where the disk is full or a right is missing
                if attempt == _PUSHES:  # layers that arrived stay, so another try sends only the rest
                    raise
    finally:
        engine.remove(reference)
    manifest = repository.manifest(tag)
    if manifest is None or manifest.digest != digest:
        raise RegistryError(
            f"{reference} is not what was pushed",
            why=f"pushed {digest}, found {manifest.digest if manifest else 'nothing'}",
            next_step="run the same command again",
        )
    return manifest


def _require_whole(repository: Repository, manifest: Manifest) -> None:
    for child in manifest.children:
        if (inner := repository.manifest(child.digest)) is None:
            raise RegistryError(f"{repository}@{manifest.digest} lacks its manifest {child.digest}")
        _require_whole(repository, inner)
    missing = [blob.digest for blob in manifest.blobs if not repository.has_blob(blob.digest)]
    if missing:
        raise RegistryError(
            f"{repository}@{manifest.digest} lacks {len(missing)} of its layers",
            why=", ".join(missing),
            next_step="mend the registry's storage, then push again",
        )


def _attach_documents(
    image: ImagePlan, local: ImageDetail, repository: Repository, manifest: Manifest, folder: Path
) -> list[str]:
    attached: list[str] = []
    kinds = {entry.artifact_type for entry in repository.referrers(manifest.digest)}
    if records.PROVENANCE not in kinds:
        config = read_config(repository, manifest) if manifest.media_type in INDEX_TYPES else None
        data = statement(image, local, str(repository), manifest.digest, config)
        path = folder / "provenance" / f"{image.id}.intoto.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        records.attach(repository, manifest.descriptor, records.PROVENANCE, data, when=records.now())
        attached.append("provenance")
    if not kinds & {records.SPDX, records.CYCLONEDX} and (found := sbom.make(local.id, folder / "sbom", image.id)):
        kind, data = found
        records.attach(repository, manifest.descriptor, kind, data, when=records.now())
        attached.append("sbom")
    return attached
