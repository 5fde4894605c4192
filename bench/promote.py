"""Promote a release of eight cells, a tag and an alias each, in a real registry behind 50 ms of latency.

Limit: 2 s a name. The candidates are put there through the registry's API, so no engine is needed; what a promotion
does is the same for 1 KB and for 25 GB, as no layer moves.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "integration"))

from release.registries import FaultyProxy, running

from rocmimg.checks.model import TIERS, CheckResult, ImageResult
from rocmimg.matrix import load
from rocmimg.plan import LABEL_CELL, LABEL_INPUTS, ImagePlan, make_plan
from rocmimg.registry import Manifest, parse
from rocmimg.registry.client import Registries, Repository
from rocmimg.registry.types import OCI_MANIFEST
from rocmimg.release import promote, rollback
from rocmimg.release.candidates import tag_of
from rocmimg.release.records import attach_result

CELLS = 8
LATENCY_S = 0.05
LIMIT_S = 2.0


def put_candidate(image: ImagePlan, repository: Repository, salt: str) -> None:
    """A candidate with its proofs, as `rocmimg push --candidate` leaves it."""
    labels = {LABEL_CELL: image.id, LABEL_INPUTS: json.dumps(image.named_inputs)}
    config = repository.put_blob(json.dumps({"config": {"Labels": labels}, "salt": salt}).encode())
    layer = repository.put_blob(salt.encode())
    content = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {**config.json(), "mediaType": "application/vnd.oci.image.config.v1+json"},
        "layers": [{**layer.json(), "mediaType": "application/vnd.oci.image.layer.v1.tar"}],
    }
    manifest = Manifest(media_type=OCI_MANIFEST, content=json.dumps(content).encode())
    repository.put_manifest(tag_of(image.id, "2026-11-01T00:00:00Z", config.digest), manifest)
    checks = tuple(CheckResult(id=f"check-{tier}", tier=tier, classes=(), status="passed") for tier in TIERS)
    result = ImageResult(
        id=image.id,
        target=image.cell.target,
        gpu_arch=image.cell.arch,
        image="",
        image_id=config.digest,
        digest="",
        started="2026-11-01T00:00:00Z",
        seconds=1,
        engine="",
        device="MI300X",
        checks=checks,
    )
    attach_result(result, repository, manifest)


def main() -> int:
    if not shutil.which("docker-registry"):
        print("  not run: Debian's docker-registry is not installed")
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with running(folder / "registry") as host, FaultyProxy(host, delay_s=LATENCY_S).running() as proxy:
            path = folder / "images.yaml"

            def images(version: str) -> list[ImagePlan]:
                targets = "".join(f"  t{n}: {{extends: all, gpu_archs: [gfx942]}}\n" for n in range(CELLS))
                path.write_text(
                    f"targets:\n  all:\n    base: debian:13\n    registry: {proxy.host}\n    image: bench/images\n"
                    f"    version: {version}\n    aliases: ['{{target}}-latest']\n{targets}"
                )
                matrix = load(path)
                return list(make_plan(matrix, [cell.id for cell in matrix.cells]).images)

            repository = Registries().repository(parse(f"{host}/bench/images"))
            for version in ("v1", "v2"):
                plan = images(version)
                for image in plan:
                    put_candidate(image, repository, f"{version} {image.id}")
                began = time.perf_counter()
                ready = promote.prepare(plan, Registries(), {})
                promote.promote(ready, {})
                took = time.perf_counter() - began
            names = sum(len(cell.tags) + len(cell.aliases) for cell in ready)
            began = time.perf_counter()
            rollback.roll_back(rollback.prepare(plan, Registries()))
            back = time.perf_counter() - began
    print(
        f"  promote {CELLS} cells, {names} names     {took:6.2f} s, {took / names:.2f} s a name (limit {LIMIT_S:.0f} s)"
    )
    print(f"  roll {CELLS} aliases back           {back:6.2f} s, {back / CELLS:.2f} s a name")
    return took / names > LIMIT_S


if __name__ == "__main__":
    sys.exit(main())
