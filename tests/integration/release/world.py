"""Releases of two cells in a real registry, without an engine: candidates are put there through the registry's API."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from release.project import checked
from rocmimg.checks.model import Status
from rocmimg.engine import ImageDetail
from rocmimg.matrix import Selection, load, parse_set
from rocmimg.plan import LABEL_CELL, LABEL_DIGEST, LABEL_INPUTS, ImagePlan
from rocmimg.registry import Manifest, parse
from rocmimg.registry.client import Registries, Repository
from rocmimg.registry.transport import Transport
from rocmimg.registry.types import OCI_MANIFEST
from rocmimg.release import promote, records, rollback
from rocmimg.release.candidates import repository_of, tag_of
from rocmimg.release.intent import PREFIX, pending
from rocmimg.release.provenance import provenance
from rocmimg.release.records import ImageRecords
from rocmimg.release.signing import seal, signing_key

CELLS = ("app-gfx942", "app-gfx950")
Results = Callable[[str, str, str], Any]


@dataclass
class World:
    """A matrix, a registry, and what people do with them."""

    folder: Path
    host: str
    name: str = "lab/app"
    settings: dict[str, Any] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.write()

    def write(self, **more: Any) -> None:
        self.settings |= more
        (self.folder / "images.yaml").write_text(
            f"""\
targets:
  app:
    gpu_archs: [gfx942, gfx950]
    base: debian:13
    registry: {self.host}
    image: {self.name}
    tags: ["{{version}}-{{alias}}"]
    aliases: ["{{alias}}-latest"]
    release: {json.dumps(self.settings)}
"""
        )

    def matrix(self, version: str, *sets: str) -> Any:
        given = [parse_set(text) for text in (f"version={version}", f"env.RELEASE={version}", *sets)]
        return load(self.folder / "images.yaml", sets=given, selection=Selection(ids=CELLS))

    def release(self, version: str, *sets: str) -> promote.Release:
        return promote.open_release(self.matrix(version, *sets), CELLS, self.said.append)

    def put(self, image: ImagePlan, **more: Any) -> tuple[Repository, Manifest, str]:
        """A candidate with its provenance; repository, manifest and the plan's digest."""
        return put_candidate(image, **more)

    def prove(self, repository: Repository, manifest: Manifest, cell: str, plan: str, **tiers: Status) -> None:
        """Results of checks of a candidate."""
        prove(repository, manifest, cell, plan, **tiers)

    def candidate(self, version: str, **tiers: Status) -> None:
        """Both cells, proven but for the tiers that say otherwise."""
        for image in self.release_images(version):
            repository, manifest, plan = self.put(image, salt=version)
            self.prove(repository, manifest, image.id, plan, **tiers)

    def release_images(self, version: str) -> list[ImagePlan]:
        from rocmimg.plan import make_plan

        return [image for image in make_plan(self.matrix(version), CELLS).images if image.id in CELLS]

    def promote(self, version: str, *sets: str, **overrides: str) -> None:
        """What `rocmimg promote` does."""
        release = self.release(version, *sets)
        release.settle()
        promote.promote(release, promote.prepare(release, overrides), overrides)

    def rollback(self, version: str) -> None:
        """What `rocmimg rollback` does."""
        release = self.release(version)
        if not release.settle(undo_promotions=True):
            rollback.roll_back(release, rollback.prepare(release))

    @property
    def public(self) -> Repository:
        return Registries().repository(parse(f"{self.host}/{self.name}"))

    def names(self) -> dict[str, str]:
        """Public names and their digests."""
        repo = self.public
        names = {t: repo.digest(t) for t in repo.tags() if not t.startswith(("candidate-", "sha256-", PREFIX))}
        # The registry may go on listing a tag that one client set while another deleted what it names.
        return {name: digest for name, digest in names.items() if digest}

    def released(self) -> set[str]:
        """Versions that the aliases name, found by the immutable tags."""
        names = self.names()
        found = set()
        for arch in ("mi30x", "mi35x"):
            alias = names.get(f"{arch}-latest")
            mine = {tag.partition("-")[0] for tag, digest in names.items() if digest == alias and tag.startswith("v")
                    and tag.endswith(arch)}  # fmt: skip
            found.add("/".join(sorted(mine)) or ("none" if alias is None else "unknown"))
        return found

    def require_whole(self) -> str:
        """The invariant: one version is released, nothing is unfinished, every public name has its proofs."""
        names = self.names()
        assert len(self.released()) == 1, names
        for version in {tag.partition("-")[0] for tag in names if tag.startswith("v")}:
            assert {f"{version}-mi30x", f"{version}-mi35x"} <= names.keys(), names
        registries = Registries()
        release = self.release("v1")
        assert pending([self.public], registries, release.trust) == []
        for name, digest in names.items():
            known = ImageRecords(self.public, str(digest), release.trust)
            kinds = {record.kind for record in records.promotions(known)}
            assert "promotion" in kinds, f"{name} has no record of its promotion"
            assert records.check_results(known), f"{name} has no proof"
        return self.released().pop()


def put_candidate(image: ImagePlan, *, salt: str = "", created: str = "2026-11-01T00:00:00Z", base: str = "sha256:base",
        origin: bool = True) -> tuple[Repository, Manifest, str]:  # fmt: skip
    """A candidate with its provenance; repository, manifest and the plan's digest."""
    registries = Registries()
    repository = repository_of(image, registries)
    plan = image.digest(base)
    labels = {LABEL_CELL: image.id, LABEL_DIGEST: plan, LABEL_INPUTS: json.dumps(image.all_inputs(base))}
    config = repository.put_blob(json.dumps({"config": {"Labels": labels}, "salt": salt}).encode())
    layer = repository.put_blob(f"{image.id} {salt}".encode())
    content = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {**config.json(), "mediaType": "application/vnd.oci.image.config.v1+json"},
        "layers": [{**layer.json(), "mediaType": "application/vnd.oci.image.layer.v1.tar"}],
    }
    manifest = Manifest(media_type=OCI_MANIFEST, content=json.dumps(content).encode())
    repository.put_manifest(tag_of(image.id, created, config.digest), manifest)
    if origin:
        detail = _detail(config.digest, labels)
        said = provenance(image, detail, str(repository), manifest.digest, None)
        records.attach(repository, manifest.descriptor, records.PROVENANCE, seal(said, signing_key()))
    return repository, manifest, plan


def prove(repository: Repository, manifest: Manifest, cell: str, plan: str, **tiers: Status) -> None:
    result = checked(cell, manifest.blobs[0].digest, plan, **tiers)
    known = ImageRecords(repository, manifest.digest)
    records.attach_result(result, known, manifest, signing_key())


def _detail(image_id: str, labels: dict[str, str]) -> ImageDetail:
    return ImageDetail(
        id=image_id, tags=(), digests=(), labels=labels, env={}, workdir="/", entrypoint=(), cmd=(), user="",
        shell=(), size=1, created="2026-11-01T00:00:00Z", layers=("sha256:layer",),
    )  # fmt: skip


class Killed(BaseException):
    """The process is gone: whatever it wants to do next, no request leaves it any more."""


@contextlib.contextmanager
def killed_after(requests: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """No request but the first so many leave; the list is of those that did."""
    sent: list[str] = []
    lock = threading.Lock()
    real = Transport._send

    def send(self: Transport, method: str, url: str, **arguments: Any) -> Any:
        with lock:
            if len(sent) >= requests:
                raise Killed
            sent.append(f"{method} {url}")
        return real(self, method, url, **arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Transport, "_send", send)
        yield sent
