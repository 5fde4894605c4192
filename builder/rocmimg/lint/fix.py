"""Applies the mechanical cures of findings."""

from __future__ import annotations

from collections.abc import Iterable

from rocmimg.lint.model import Edit, Finding


def apply(data: bytes, findings: Iterable[Finding]) -> tuple[bytes, int]:
    """The file with the edits of the findings, and how many findings they cure.

    Edits that touch one another are left for the next run.
    """
    edits: list[Edit] = []
    cured = 0
    for finding in findings:
        free = all(edit.end < other.start or edit.start > other.end for edit in finding.edits for other in edits)
        if finding.edits and free:
            edits.extend(finding.edits)
            cured += 1
    for edit in sorted(edits, key=lambda edit: edit.start, reverse=True):
        data = data[: edit.start] + edit.text.encode() + data[edit.end :]
    return data, cured
