"""No text makes the linter fail or hang.

ROCMIMG_FUZZ sets the number of generated files (10,000 for a release); a few hundred run always.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rocmimg.lint.rules import all_rules

from .support import findings
from .test_reading import ONE_OF_EACH, SELECTED

EXAMPLES = int(os.environ.get("ROCMIMG_FUZZ", "150"))
SHAPES = [ONE_OF_EACH, SELECTED, *(text for rule in all_rules().values() for text in (rule.bad, rule.good))]
PIECES = [
    *("FROM x\n", "FROM $A AS b\n", "ARG A=b\n", "ENV A=${B%%-*} ", "RUN ", "ONBUILD ", "SHELL [", "COPY <<E /f\n"),
    *("\\\n", "# c\n", "\n", " ", "\t", '"', "'", "`", "$(", ")", "${", "}", "$", "<<EOF\n", "EOF\n", "<<-'X'", "&&"),
    *("||", "|", ";", "&", "(", "{ ", "if ", "then ", "else ", "fi", "case x in", "a) b ;;", "esac", "for i in a; do "),
    *("done", "while ", "! ", "set -e; ", "bash -c '", 'sh -c "', "cd /x", "pip install -e . ", "git clone x ", "--"),
    *("curl https://a ", "> /etc/bash.bashrc", "export A=", "\x00", "é", "\r\n", "# escape=`\n", "# rocmimg: ignore=X"),
]
BOUNDED = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=EXAMPLES < 1000,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@BOUNDED
@given(st.lists(st.sampled_from(PIECES), max_size=60).map("".join))
def test_pieces_in_any_order(text: str) -> None:
    findings("FROM x\nRUN " + text)
    findings(text)


@BOUNDED
@given(st.sampled_from(SHAPES), st.data())
def test_mutations_of_real_shapes(shape: str, data: st.DataObject) -> None:
    text = shape
    for _ in range(data.draw(st.integers(1, 6))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.integers(0, 20)))
        text = text[:start] + data.draw(st.sampled_from(["", *PIECES])) + text[end:]
    findings(text)


@BOUNDED
@given(st.binary(max_size=200))
def test_bytes(data: bytes) -> None:
    findings(data)


def test_deep_nesting_ends() -> None:
    for deep in (
        "$(" * 3000,
        "(" * 3000 + "a" + ")" * 3000,
        "if a; then " * 2000,
        "${A:-" * 3000,
        "bash -c '" * 200,
        "a && " * 5000,
    ):
        findings("FROM x\nRUN " + deep + "\n")
