"""Results of checks: whose image they are about, and attached to it."""

from __future__ import annotations

import json
from pathlib import Path

from rocmimg.checks.model import ImageResult, result_from_json
from rocmimg.errors import NotProven
from rocmimg.registry import Manifest
from rocmimg.registry.client import Repository
from rocmimg.release import records


def ids_of(manifest: Manifest) -> set[str]:
    """What engines call the image: its configuration's digest, or the manifest's with the containerd store."""
    return {manifest.digest, *(blob.digest for blob in manifest.blobs[:1]), *(m.digest for m in manifest.children)}


def is_about(result: ImageResult, manifest: Manifest) -> bool:
    """Whether results are about this image."""
    known = ids_of(manifest)
    return result.image_id in known or any(ref.partition("@")[2] in known for ref in result.repo_digests)


def read_result(path: Path, cell_id: str) -> ImageResult:
    """A result file of ``rocmimg test``.

    Raises:
        NotProven: it is missing or broken.
    """
    try:
        result = result_from_json(json.loads(path.read_bytes()))
    except FileNotFoundError:
        raise NotProven(
            f"{cell_id} was not checked here", why=f"there is no {path}", next_step="run `rocmimg test`"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise NotProven(f"{path} cannot be read", why=str(error), next_step="run `rocmimg test` again") from error
    if result.id != cell_id:
        raise NotProven(f"{path} is about {result.id}", next_step="run `rocmimg test` again")
    return result


def attach_result(result: ImageResult, repository: Repository, manifest: Manifest) -> bool:
    """Attach results to the image that they are about; whether there was anything new."""
    record = result.as_json()
    known = records.read(repository, manifest.digest, records.CHECKS)
    data = json.dumps(record, indent=2).encode()
    if any(other == json.loads(data) for other in known):
        return False
    records.attach(repository, manifest.descriptor, records.CHECKS, data, when=result.started)
    return True
