"""Check results as one HTML page: nothing is fetched, so it can be attached, archived and opened anywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from rocmimg.checks.coverage import covers
from rocmimg.checks.model import TIERS, CheckResult, ImageResult, Status
from rocmimg.paths import write_atomic
from rocmimg.terminal import harmless

_ORDER: Final[tuple[Status, ...]] = ("failed", "not-run", "waived", "passed", "not-applicable")
_COLOURS: Final = 4
"""How many architectures have a colour of their own in page.html.j2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One architecture's part of a bar; lengths in percent of the whole."""

    arch: str
    start: float
    length: float
    size: str
    colour: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """The GPU code of one package."""

    package: str
    total: str
    segments: tuple[Segment, ...]
    missing: tuple[str, ...]
    """Architectures of the image that it has no code for."""


def bars(coverage: Mapping[str, Any]) -> list[Bar]:
    """The picture of a coverage, largest package first."""
    expected = tuple(coverage.get("expected", ()))
    packages: dict[str, dict[str, int]] = coverage.get("packages", {})
    found = []
    for package, archs in sorted(packages.items(), key=lambda item: -sum(item[1].values())):
        total = sum(archs.values())
        ordered = sorted(archs, key=lambda arch: (arch not in expected, arch))
        starts = [sum(archs[name] for name in ordered[:index]) for index in range(len(ordered))]
        found.append(
            Bar(
                package=package,
                total=human(total),
                segments=tuple(
                    Segment(
                        arch=arch,
                        start=round(100 * start / max(total, 1), 2),
                        length=round(100 * archs[arch] / max(total, 1), 2),
                        size=human(archs[arch]),
                        colour=f"arch{expected.index(arch) % _COLOURS + 1}" if arch in expected else "other",
                    )
                    for arch, start in zip(ordered, starts, strict=True)
                ),
                missing=tuple(arch for arch in expected if not covers(archs, arch)),
            )
        )
    return found


def human(size: float) -> str:
    """Bytes with a unit."""
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:  # noqa: PLR2004
            return f"{size:.0f} {unit}" if unit == "B" or size >= 10 else f"{size:.1f} {unit}"  # noqa: PLR2004
        size /= 1024
    return f"{size:.1f} GiB"


def write_page(results: Sequence[ImageResult], path: Path) -> None:
    """Write the page as a whole or not at all."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("rocmimg.report", "."),
        autoescape=True,
        finalize=lambda value: harmless(value) if type(value) is str else value,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    images = [
        {
            "result": result,
            "groups": {status: [c for c in result.checks if c.status == status] for status in _ORDER},
            "tiers": [(tier, _tally(result.checks, tier)) for tier in TIERS],
            "not_run": _by_reason(result.missing),
            "notes": [(check, note) for check in result.checks for note in check.notes],
            "bars": bars(result.coverage),
        }
        for result in results
    ]
    totals = {status: sum(c.status == status for result in results for c in result.checks) for status in _ORDER}
    text = environment.get_template("page.html.j2").render(
        images=images, totals=totals, made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    )
    write_atomic(path, text)


def _tally(checks: Sequence[CheckResult], tier: str) -> list[tuple[Status, int]]:
    mine = [check.status for check in checks if check.tier == tier]
    return [(status, mine.count(status)) for status in _ORDER if status in mine]


def _by_reason(missing: Sequence[CheckResult]) -> dict[str, list[CheckResult]]:
    found: dict[str, list[CheckResult]] = {}
    for check in missing:
        found.setdefault(check.reason, []).append(check)
    return found
