"""Push candidates, and the proofs that belong to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rocmimg import built
from rocmimg.built import Built
from rocmimg.errors import BuildError, EngineError, GateRefused, NotProven, RegistryDenied, RegistryError, TagTaken
from rocmimg.plan import LABEL_DIGEST, ImagePlan
from rocmimg.registry import INDEX_TYPES, Manifest
from rocmimg.registry.client import Registries, Repository
from rocmimg.release import records, sbom
from rocmimg.release.candidates import candidates, fits, newest_fitting, read_config, repository_of, tag_of
from rocmimg.release.copy import adopt_candidate
from rocmimg.release.provenance import provenance, unproven_origin
from rocmimg.release.records import ImageRecords
from rocmimg.release.signing import Trust, seal, signing_key

if TYPE_CHECKING:
    from securesystemslib.signer import Signer

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
    image: ImagePlan,
    engine: Engine,
    registries: Registries,
    folder: Path,
    trust: Trust,
    on_event: Callable[[Event], None],
) -> Pushed:
    """Push what the engine has of a cell. ``folder`` is where build/ keeps results, provenance and SBOMs.

    Raises:
        NotProven: the file of results is broken.
        SigningError: signatures are wanted, and the key is missing or unknown.
        BuildError: the engine has no image of the cell, or one that was built from something else or not by a build.
        RegistryDenied: these credentials may not push; nothing was sent.
        TagTaken: the candidate's tag names another image.
        RegistryError: the registry does not have the whole image after the push.
    """
    signer = _signer(trust)
    path = folder / "results" / f"{image.id}.json"
    result = records.read_result(path, image.id) if path.exists() else None
    repository = repository_of(image, registries)
    if image.prebuilt:
        candidate, new = adopt_candidate(image, registries)
        known = ImageRecords(repository, candidate.digest, trust)
        is_ours = result is not None and records.is_about(result, candidate.manifest)
        fresh = bool(result and is_ours and records.attach_result(result, known, candidate.manifest, signer))
        reference = f"{repository}:{candidate.tag}"
        return Pushed(
            id=image.id,
            reference=reference,
            digest=candidate.digest,
            new=new,
            attached=("results",) if fresh else (),
        )
    local = _local(image, engine)
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
    known = ImageRecords(repository, manifest.digest, trust)
    attached = _attach_documents(image, local, known, manifest, folder, signer)
    mine = result if result and records.is_about(result, manifest) else None  # not of an earlier build
    if mine and records.attach_result(mine, known, manifest, signer):
        attached.append("results")
    return Pushed(id=image.id, reference=reference, digest=manifest.digest, new=new, attached=tuple(attached))


def push_results(image: ImagePlan, registries: Registries, folder: Path, trust: Trust) -> Pushed:
    """Attach build/results/<cell>.json to the candidate whose image it is about.

    Raises:
        NotProven: there are no results, or no candidate is that image.
        SigningError: signatures are wanted, and the key is missing or unknown.
    """
    signer = _signer(trust)
    path = folder / "results" / f"{image.id}.json"
    result = records.read_result(path, image.id)
    repository = repository_of(image, registries)
    repository.require_push()
    for candidate in candidates(image, repository):
        if records.is_about(result, candidate.manifest):
            known = ImageRecords(repository, candidate.digest, trust)
            new = records.attach_result(result, known, candidate.manifest, signer)
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
    image: ImagePlan, engine: Engine, registries: Registries, trust: Trust, on_event: Callable[[Event], None]
) -> Pushed:
    """Bring the newest fitting candidate of a cell to the engine, under the names that a build would give it.

    Raises:
        GateRefused: there is none, or nothing says that a build made it.
    """
    if image.prebuilt:
        new = engine.image(image.prebuilt) is None
        if new:
            engine.pull(image.prebuilt, on_event)
        return Pushed(id=image.id, reference=image.prebuilt, digest=image.pinned_digest, new=new, attached=())
    repository = repository_of(image, registries)
    candidate = newest_fitting(image, repository)
    plan = candidate.labels.get(LABEL_DIGEST, "")
    if why := unproven_origin(ImageRecords(repository, candidate.digest, trust), image.id, plan):
        raise GateRefused(
            f"{repository}:{candidate.tag} is not pulled",
            why=why,
            next_step=f"find out who pushed it; `rocmimg push --candidate {image.id}` attaches provenance",
        )
    reference = f"{repository}@{candidate.digest}"
    new = engine.image(reference) is None
    if new:
        engine.pull(reference, on_event)
    for tag in image.cell.tags:
        engine.tag(reference, tag)
    if found := engine.image(reference):
        built.remember(Built(id=found.id, cell=image.id, plan=plan, layers=found.layers))
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
    record = built.find(found.id)
    if record is None or (record.cell, record.plan) != (image.id, found.labels.get(LABEL_DIGEST)):
        raise BuildError(
            f"no build recorded here made the engine's image of {image.id}",
            why="an image that was made FROM one of ours, or committed over its tag, has its labels too",
            next_step=f"run `rocmimg build {image.id}`, which takes every step from the engine's cache",
        )
    return found


def _signer(trust: Trust) -> Signer | None:
    signer = signing_key(trust)
    trust.require(signer)
    return signer


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
            next_step="repair the registry's storage, then push again",
        )


def _attach_documents(
    image: ImagePlan,
    local: ImageDetail,
    known: ImageRecords,
    manifest: Manifest,
    folder: Path,
    signer: Signer | None,
) -> list[str]:
    attached: list[str] = []
    repository = known.repository
    kinds = {entry.artifact_type for entry in known.entries}
    if unproven_origin(known, image.id, local.labels.get(LABEL_DIGEST, "")):
        config = read_config(repository, manifest) if manifest.media_type in INDEX_TYPES else None
        data = seal(provenance(image, local, str(repository), manifest.digest, config), signer)
        path = folder / "provenance" / f"{image.id}.intoto.json"
        records.attach(repository, manifest.descriptor, records.PROVENANCE, data)
        attached.append("provenance")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    if not kinds & {records.SPDX, records.CYCLONEDX} and (found := sbom.make(local.id, folder / "sbom", image.id)):
        kind, data = found
        records.attach(repository, manifest.descriptor, kind, data)
        attached.append("sbom")
    return attached
