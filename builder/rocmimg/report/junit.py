"""Check results as a JUnit file, in which a missing proof is a skipped test with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from rocmimg.checks.model import CheckResult, ImageResult
from rocmimg.terminal import harmless


def write_junit(results: Sequence[ImageResult], path: Path, *, require_gpu: bool = False) -> None:
    """One test suite an image, one test case a check; with ``require_gpu`` a missing proof is a failure."""
    document = JUnitXml("rocmimg")
    for result in results:
        suite = TestSuite(result.id)
        suite.timestamp = result.started
        for name, value in (
            ("image", result.image),
            ("image id", result.image_id),
            ("plan digest", result.digest),
            ("engine", result.engine),
            ("device", result.device or "none"),
            ("suite", f"rocmimg {result.suite_version} {result.suite_digest}".strip()),
            *((f"gpu {arch}", device or "not proven") for arch, device in result.gpu_archs.items()),
        ):
            suite.add_property(name, harmless(value))
        cases = [_case(result.id, check, require_gpu=require_gpu) for check in result.checks]
        if not cases:
            case = TestCase("image", result.id)
            case.result = [Error(harmless(result.reason), "not-run")]
            cases = [case]
        suite.add_testcases(cases)
        document.add_testsuite(suite)
    path.parent.mkdir(parents=True, exist_ok=True)
    document.write(str(path), pretty=True)


def _case(cell: str, check: CheckResult, *, require_gpu: bool) -> TestCase:
    case = TestCase(check.id, f"{cell}.{check.tier}", check.seconds)
    if check.status == "failed":
        failure = Failure(harmless(check.reason), " ".join(check.classes) or "check")
        said = [
            f"{label}: {text}"
            for (cause, fix), findings in check.wrong.items()
            for label, text in (*(("what", one.what) for one in findings), ("cause", cause), ("fix", fix))
            if text
        ]
        failure.text = harmless(
            "\n".join((*said, *(f"\n{source}:\n{text}" for source, text in check.evidence.items())))
        )
        case.result = [failure]
    elif check.status == "not-run" and require_gpu:
        case.result = [Failure(harmless(f"not run: {check.reason}"), "not-run")]
    elif check.status != "passed":
        case.result = [Skipped(harmless(f"{check.status.replace('-', ' ')}: {check.reason}"), check.status)]
    return case
