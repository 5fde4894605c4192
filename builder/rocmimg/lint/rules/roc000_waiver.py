"""A waiver that does not count."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rocmimg.lint.context import LintFile
from rocmimg.lint.model import Hit, Level, Rule


def check(file: LintFile) -> Iterable[Hit]:
    from rocmimg.lint.rules import all_rules

    for waiver in file.waivers:
        if complaint := waiver.complaint(file.today, all_rules()):
            yield Hit(start=waiver.base + waiver.start, end=waiver.base + waiver.end, message=complaint)


RULE: Final = Rule(
    id="ROC000",
    failure_class="-",
    level=Level.WARNING,
    title="a waiver does not count",
    why="A waiver without a reason or an end hides a finding for ever.",
    fix='Write reason="..." until=YYYY-MM-DD, or fix what it waived.',
    case="rule of the house",
    bad='FROM ubuntu:24.04\n# rocmimg: ignore=ROC037 reason="the mirror is local" until=2020-01-31\nRUN true\n',
    good='FROM ubuntu:24.04\n# rocmimg: ignore=ROC037 reason="the mirror is local" until=2999-01-31\nRUN true\n',
    check=check,
)
