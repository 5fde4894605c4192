"""A secret in ARG or ENV."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from rocmimg.lint.context import LintFile
from rocmimg.lint.model import Hit, Level, Rule

_SECRET: Final = re.compile(
    r"(?:\w+_)?(?:TOKEN|PASSWORD|PASSWD|SECRET|SECRET_KEY|API_?KEY|PRIVATE_KEY|ACCESS_KEY|ACCESS_KEY_ID|CREDENTIALS|PAT)",
    re.IGNORECASE,
)
_INNOCENT: Final = re.compile(r"(?i)\w*(NO|WITHOUT|SKIP|DISABLE|MAX|NUM)_\w*|\w*_(URL|PATH|FILE|DIR)")

_PLACEHOLDER: Final = re.compile(
    r"(?i)^(?:0|1|true|false|none|null|empty|test\w*|dummy|local|default|secret|password|token|key|todo|tbd|unset|n/?a)$"
    r"|your|change|replace|placeholder|example|insert|<|>|x{3,}|\*{3,}|\.{3,}|dummy|fake|sample|redacted"
    r"|here$|^(?:my|the|some|put|add|enter|use)[-_ ]|^(?:foo|bar)+$|not[-_ ]?(?:set|needed|used|a)"
)
_RANDOM: Final = re.compile(r"(?:hf_|sk-|ghp_|github_pat_|glpat-|AKIA|xox[bp]-)\w+|(?=.*\d)(?=.*[A-Za-z])[\w+/=-]{16,}")


def _random(value: str) -> bool:
    """It looks generated: a known prefix, or long with letters and digits."""
    return _RANDOM.fullmatch(value) is not None


def check(file: LintFile) -> Iterable[Hit]:
    for instruction in file.dockerfile.instructions:
        if instruction.keyword not in {"ARG", "ENV"}:
            continue
        for pair in instruction.pairs:
            if not _SECRET.fullmatch(pair.name) or _INNOCENT.fullmatch(pair.name):
                continue
            value = (pair.value or "").strip("\"'")
            if not value and instruction.keyword == "ENV":
                continue
            if value and _PLACEHOLDER.search(value):
                continue
            if value and "$" not in value:
                message = f"{pair.name} has its value in the file and in every image built from it"
                level = Level.ERROR if _random(value) else Level.WARNING
            elif instruction.keyword == "ENV":
                message, level = f"{pair.name} is kept in the image's environment: every puller reads it", Level.ERROR
            else:
                message, level = f"{pair.name} as a build argument is kept in the image's history", Level.WARNING
            yield Hit(start=pair.start, end=pair.end, message=message, level=level)


RULE: Final = Rule(
    id="ROC053",
    failure_class="-",
    level=Level.ERROR,
    title="a secret is passed by ARG or ENV",
    why="`docker history` and `docker inspect` show both to everybody who has the image.",
    fix="RUN --mount=type=secret,id=NAME; or fetch outside of the build.",
    case="docker's own documentation of ARG",
    bad="FROM ubuntu:24.04\nARG HF_TOKEN\nENV HF_TOKEN=$HF_TOKEN\n",
    good="FROM ubuntu:24.04\nRUN --mount=type=secret,id=hf cat /run/secrets/hf > /dev/null\n",
    check=check,
)
