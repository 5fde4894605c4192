"""From results to an exit code."""

from __future__ import annotations

from collections.abc import Sequence

from rocmimg.checks.model import ImageResult
from rocmimg.errors import ChecksFailed, NotProven


def exit_code(results: Sequence[ImageResult], *, require_gpu: bool) -> int:
    """0; ChecksFailed's where a check failed; NotProven's where an image could not be judged at all, or, with
    ``require_gpu``, where any check could not be run."""
    if any(result.failures for result in results):
        return ChecksFailed.exit_code
    if any(not result.checks for result in results):
        return NotProven.exit_code
    if require_gpu and any(result.missing for result in results):
        return NotProven.exit_code
    return 0
