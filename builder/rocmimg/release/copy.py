"""Images inside one registry: from one repository to another without moving a layer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from rocmimg.errors import ConfigError, RegistryError
from rocmimg.plan import ImagePlan
from rocmimg.registry import Manifest, parse
from rocmimg.registry.client import Registries, Repository
from rocmimg.release.candidates import Candidate, read_config, repository_of, tag_of
from rocmimg.release.transaction import AT_ONCE


def copy_image(manifest: Manifest, source: Repository, target: Repository) -> None:
    """Bring an image, or an index of images, with all its layers into another repository of the same registry."""
    parts = [inner for child in manifest.children if (inner := source.manifest(child.digest))] or [manifest]
    blobs = {blob.digest: blob for part in parts for blob in part.blobs}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda digest: target.mount(digest, source), blobs))
    for part in dict.fromkeys((*parts, manifest)):
        target.put_manifest(part.digest, part)


def adopt_candidate(image: ImagePlan, registries: Registries) -> tuple[Candidate, bool]:
    """The image that another pipeline built, as a candidate of its cell, and whether it became one now.

    Raises:
        ConfigError: a tag alone names it.
        RegistryError: it is not there, or in another registry than the candidates.
        RegistryDenied: these credentials may not push.
    """
    place = image.cell.position("prebuilt")
    if not image.pinned_digest:
        raise ConfigError(
            f"{image.prebuilt} is named by a tag",
            why="what that means can change after the checks",
            next_step="run `rocmimg lock` and commit the file, or name it by its digest",
            position=place,
        )
    reference = parse(image.prebuilt)
    source, repository = registries.repository(reference), repository_of(image, registries)
    if source.reference.host != repository.reference.host:
        raise RegistryError(
            f"{image.prebuilt} is in another registry than the candidates of {image.id}",
            why="a candidate is copied inside one registry, where no layer has to move",
            next_step=f"bring it to {repository.reference.host} with its digest, for instance by `skopeo copy "
            "--all --preserve-digests`, and name it there",
            position=place,
        )
    manifest = source.manifest(image.pinned_digest)
    if manifest is None:
        raise RegistryError(f"there is no {image.prebuilt}", next_step="correct the digest", position=place)
    repository.require_push()
    config = read_config(source, manifest)
    candidate = Candidate(repository=repository, tag="", manifest=manifest, config=config)
    tag = tag_of(image.id, candidate.created, manifest.digest)
    new = repository.digest(tag) is None
    if new:
        if source.reference != repository.reference:
            copy_image(manifest, source, repository)
        repository.put_manifest(tag, manifest)
    return Candidate(repository=repository, tag=tag, manifest=manifest, config=config), new
