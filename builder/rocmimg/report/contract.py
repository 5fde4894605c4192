"""A contract's outcome as text, JSON, SARIF, GitHub annotations and Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from rocmimg.report.lint import annotation
from rocmimg.report.markdown import code, plain, short_table
from rocmimg.report.sarif import SarifLevel, SarifResult, SarifRule, sarif

if TYPE_CHECKING:
    from rocmimg.contract.model import Contract, Finding, Level

_TITLES: Final[tuple[tuple[Level, str], ...]] = (
    ("error", "ERROR"),
    ("warning", "WARNING"),
    ("unknown", "UNKNOWN"),
    ("info", "INFO"),
)
_SARIF_LEVELS: Final[dict[Level, SarifLevel]] = {
    "error": "error",
    "warning": "warning",
    "unknown": "note",
    "info": "note",
}
_RULES: Final = (
    SarifRule(id="missing-module", summary="The pinned source has no such module.", level="error"),
    SarifRule(id="missing-name", summary="The pinned source has no such name.", level="error"),
    SarifRule(id="bad-argument", summary="The call does not fit the signature at the pin.", level="warning"),
    SarifRule(id="dead-fallback", summary="A fallback that cannot run at the pin, and would fail.", level="note"),
    SarifRule(id="unknown", summary="The text does not tell whether this is there.", level="note"),
)


def contract_json(contract: Contract) -> dict[str, Any]:
    """All fields of a contract; ``findings`` as objects."""
    return asdict(contract)


def contract_sarif(contracts: Sequence[Contract]) -> dict[str, Any]:
    """One SARIF log for any number of contracts."""
    results = [
        SarifResult(
            rule=finding.verdict,
            level=_SARIF_LEVELS[finding.level],
            message=f"{finding.message} (source: {contract.source})" + "".join(f"; {hint}" for hint in _hints(finding)),
            file=finding.file,
            line=finding.line,
            suppressed=finding.accepted,
        )
        for contract in contracts
        for finding in contract.findings
    ]
    return sarif("rocmimg contract", _RULES, results)


def contract_annotations(contracts: Sequence[Contract]) -> Iterator[str]:
    """Workflow commands for what is wrong, at the framework's lines; INFO is left out."""
    for contract in contracts:
        for level, _ in _TITLES[:-1]:
            for finding in contract.at(level):
                fields = {"file": finding.file, "line": finding.line, "title": f"contract {finding.verdict}"}
                said = (f"{finding.message} (source: {contract.source})", *_hints(finding))
                yield annotation(_SARIF_LEVELS[level], fields, "; ".join(said))


def contract_markdown(contracts: Sequence[Contract]) -> str:
    """A summary for a pull request: what breaks first; INFO as a number only."""
    return "\n".join(map(_markdown, contracts)) or "Nothing was compared.\n"


def _markdown(contract: Contract) -> str:
    counts = {level: len(contract.at(level)) for level, _ in _TITLES}
    verdict = (
        f"{_counted(counts['error'], 'error')}, {_counted(counts['warning'], 'warning')}, {counts['unknown']} unknown,"
        f" {counts['info']} info; {contract.resolved} of {contract.uses} uses resolved"
    )
    rows = [
        (
            title.lower(),
            _what(cause[0]),
            f"{cause[0].file}:{cause[0].line}" + (f" and {len(cause) - 1} more" if len(cause) > 1 else ""),
            "; ".join(_hints(cause[0])),
        )
        for level, title in _TITLES[:-1]
        for cause in _causes(contract.at(level))
    ]
    head = (
        f"#### {code(contract.framework)} against {plain(contract.package)} from {code(contract.source)}\n\n{verdict}\n"
    )
    notes = "".join(f"\nNote: {plain(note)}\n" for note in contract.notes)
    shown = f"\n{short_table(('level', 'what', 'where', 'remedy'), rows)}" if rows else ""
    return f"{head}{notes}{shown}"


def contract_text(contract: Contract, *, verbose: bool = False) -> str:
    """What a person reads: coverage first, then each cause with its places. INFO in full only when asked."""
    return "\n".join(_lines(contract, verbose))


def _lines(contract: Contract, verbose: bool) -> Iterator[str]:
    c = contract
    yield f"{c.framework} against {c.package} from {c.source}"
    yield (
        f"  {c.uses} uses of {c.targets} names in {c.files} files: {c.resolved} resolved"
        f" ({c.conditional} of them under a condition), {c.unknown} unknown, {c.ambiguous} ambiguous,"
        f" {c.dead} in dead fallbacks, {c.dependent} behind a missing import; {c.calls} calls compared with a signature"
    )
    for note in c.notes:
        yield f"  note: {note}"
    for level, title in _TITLES:
        found = c.at(level)
        for cause in _causes(found):
            first = cause[0]
            yield f"{title}  {_what(first)}"
            if level == "info" and not verbose:
                yield f"    {first.file}:{first.line}" + (f" and {len(cause) - 1} more" if len(cause) > 1 else "")
                continue
            for finding in cause:
                more = "".join(f", {line}" for line in finding.lines)
                how = finding.message.partition("; ")[2]
                yield f"    {finding.file}:{finding.line}{more}" + (f"  {how}" if how else "")
            for hint in _hints(first):
                yield f"    {hint}"
    accepted = [finding for finding in c.findings if finding.accepted]
    if accepted:
        yield f"  {len(accepted)} accepted by the baseline"
    error, warning, unknown, info = (len(c.at(level)) for level, _ in _TITLES)
    yield f"  {_counted(error, 'error')}, {_counted(warning, 'warning')}, {unknown} unknown, {info} info"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _what(finding: Finding) -> str:
    return finding.message.partition("; ")[0]


def _causes(found: Sequence[Finding]) -> list[list[Finding]]:
    """Findings with the same cause side by side, in the order of their first places."""
    causes: dict[tuple[str, str], list[Finding]] = {}
    for finding in found:
        causes.setdefault((finding.target, _what(finding)), []).append(finding)
    return list(causes.values())


def _hints(finding: Finding) -> Iterator[str]:
    if finding.window:
        has = "fits" if finding.verdict == "bad-argument" else "has it"
        yield f"{has}: {finding.window}"
    if finding.nearest:
        yield f"nearest: {finding.nearest}"
