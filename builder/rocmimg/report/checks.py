"""The results of ``rocmimg test`` for people at a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

import click

from rocmimg.checks.model import TIERS, CheckResult, ImageResult
from rocmimg.report.markdown import plain, table
from rocmimg.report.table import filled, print_table

_SHOWN: Final = {"not-applicable": "n/a", "not-run": "not run"}
_TOLD: Final = ("failed", "passed", "waived", "not-run")
_FINDINGS: Final = 12
"""So many of one check with one cause are printed."""


def summary(result: ImageResult) -> str:
    """One line about an image that is done."""
    counts = Counter(check.status for check in result.checks)
    told = [f"{counts[status]} {status.replace('-', ' ')}" for status in _TOLD if counts[status]]
    what = ", ".join(told) if result.checks else result.reason
    return f"{what} ({result.seconds:.1f}s)"


def print_results(results: Sequence[ImageResult]) -> None:
    """A table by tier, then each failure with cause and fix, then all that was not proven, and why."""
    rows = []
    for result in results:
        tiers = [tier_text(result, tier) for tier in TIERS]
        rows.append((result.id, *tiers, result.image_id.removeprefix("sha256:")[:12], f"{result.seconds:.1f}s"))
    print_table(("cell or image", *TIERS, "id", "time"), rows)
    for result in results:
        for note in (*result.notes, *([result.reason] if result.reason and not result.checks else [])):
            click.echo(f"\n{result.id}: {note}")
        for check in result.checks:
            if check.status == "failed":
                click.echo(f"\n{result.id}: FAILED {check.id}  {_classes(check)}")
                _print_findings(check)
            elif check.status == "waived":
                click.echo(f"\n{result.id}: waived {check.id}: {check.reason}")
            for finding in check.notes:
                click.echo(f"\n{result.id}: note, {check.id}: {finding.what}")
    if lines := missing_lines(results):
        click.echo("\nNot proven:")
        for line in lines:
            click.echo(filled(line, "  ", "    "))


def _print_findings(check: CheckResult) -> None:
    for (cause, fix), findings in check.wrong.items():
        for one in findings[:_FINDINGS]:
            click.echo(_indented("what", one.what))
        if len(findings) > _FINDINGS:
            click.echo(_indented("what", f"and {len(findings) - _FINDINGS} more: --json or --html list them all"))
        for label, text in (("cause", cause), ("fix", fix)):
            if text:
                click.echo(_indented(label, text))


def tier_text(result: ImageResult, tier: str) -> str:
    """How many checks of a tier ended how."""
    counts = result.tier(tier)  # type: ignore[arg-type]
    if not counts:
        return "not run" if not result.checks else ""
    shown = [f"{number} {_SHOWN.get(status, status)}" for status, number in sorted(counts.items(), key=_order)]
    return ", ".join(shown)


def _order(item: tuple[str, int]) -> int:
    return ("failed", "passed", "waived", "not-run", "not-applicable").index(item[0])


def _classes(check: CheckResult) -> str:
    return f"({' '.join(check.classes)})" if check.classes else ""


def _indented(label: str, text: str) -> str:
    return filled(text, f"  {label + ':':<7}", " " * 9)


def _devices(result: ImageResult) -> str:
    return ", ".join(dict.fromkeys(device for device in result.gpu_archs.values() if device))


def missing_lines(results: Sequence[ImageResult]) -> list[str]:
    """One line a check and reason, with the cells that it is about."""
    return [f"{', '.join(checks)}: {reason} ({', '.join(cells)})" for reason, checks, cells in missing_rows(results)]


def missing_rows(results: Sequence[ImageResult]) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """What was not proven: reason, checks, cells; one row for the checks that share reason and cells."""
    found: dict[tuple[str, str], list[str]] = {}
    for result in results:
        for check in result.missing:
            found.setdefault((check.id, check.reason), []).append(result.id)
        for arch in result.unproven_archs:
            if any(result.gpu_archs.values()):
                found.setdefault((f"gpu on {arch}", f"only {_devices(result)} ran the kernels"), []).append(result.id)
    by_reason: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (check_id, reason), cells in found.items():
        by_reason.setdefault((reason, tuple(cells)), []).append(check_id)
    return [(reason, tuple(checks), cells) for (reason, cells), checks in by_reason.items()]


def markdown(images: Sequence[ImageResult]) -> str:
    """The results of ``rocmimg test``: a table, the failures, and what was not proven."""
    rows = [(one.id, one.status.replace("-", " "), *(tier_text(one, tier) for tier in TIERS)) for one in images]
    parts = [table(("cell or image", "result", *TIERS), rows)]
    failures = [
        (one.id, check.id, " ".join(check.classes), check.reason, check.fix) for one in images for check in one.failures
    ]
    if failures:
        parts.append("#### Failed\n\n" + table(("image", "check", "class", "what", "fix"), failures))
    if missing := missing_lines(images):
        parts.append("#### Not proven\n\n" + "".join(f"- {plain(line)}\n" for line in missing))
    return "\n".join(parts)
