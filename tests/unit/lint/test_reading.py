"""Dockerfiles and the shell inside them are read as the engine and the shell read them."""

from __future__ import annotations

import pytest

from rocmimg.lint import shell
from rocmimg.lint.dockerfile import parse
from rocmimg.lint.expand import expand, unquote
from rocmimg.lint.text import MappedText, Source

from .support import read

ONE_OF_EACH = """\
# syntax=docker/dockerfile:1.7
ARG TAG="7 2" OTHER # a comment that BuildKit takes for more arguments
FROM --platform=linux/amd64 rocm/dev:$TAG AS First
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
ENV A=${TAG%%-*} B='q $x' C="a\\"b" D=${X:-y}
ENV OLD legacy value
WORKDIR /src
COPY --from=other --chown=1:1 a b /c/
RUN --mount=type=cache,target=/root/.cache \\
    # between the lines
    pip install \\

      x

RUN <<EOF
set -e
# kept
make one
EOF
RUN bash <<-"EOT" && cat /f
\tmake two
\tEOT
RUN ["bash", "-c", "make \\"three\\""]
ONBUILD RUN make four
HEALTHCHECK --interval=5s CMD curl -f http://localhost || exit 1
run make five
FROM first
"""


def test_every_instruction_is_found_where_it_stands() -> None:
    dockerfile = parse(Source.read("f", ONE_OF_EACH.encode()))
    places = [(dockerfile.source.line(i.start), i.keyword) for i in dockerfile.instructions]
    assert places == [
        *((2, "ARG"), (3, "FROM"), (4, "SHELL"), (5, "ENV"), (6, "ENV"), (7, "WORKDIR"), (8, "COPY"), (9, "RUN")),
        *((15, "RUN"), (20, "RUN"), (23, "RUN"), (24, "ONBUILD"), (25, "HEALTHCHECK"), (26, "RUN"), (27, "FROM")),
    ]
    assert not dockerfile.problems
    assert [stage.name for stage in dockerfile.stages] == ["first", ""]
    assert dockerfile.directives == {"syntax": "docker/dockerfile:1.7"}


def test_a_script_is_what_the_shell_gets_and_knows_its_lines() -> None:
    file = read(ONE_OF_EACH)
    commands = [(c.name, *c.values(), file.source.line(c.start)) for _, c in file.commands()]
    assert ("pip", "install", "x", 11) in commands
    assert ("make", "one", 18) in commands
    assert ("make", "two", 21) in commands
    assert ("make", "four", 24) in commands
    assert ("make", "five", 26) in commands


def test_the_escape_directive_changes_the_continuation() -> None:
    file = read("# escape=`\nFROM x\nRUN make `\n  # note\n  all\n")
    assert [(c.name, c.values()) for _, c in file.commands()] == [("make", ["all"])]


def test_scripts_inside_scripts_keep_their_place() -> None:
    text = (
        "FROM x\nRUN if true; then \\\n  bash -lc 'set -e; \\\n  cd /a; \\\n  make one'; fi\n"
        'RUN sh -c "make \\"two\\" $X" \\\n && find . | xargs -I {} sh -c \'make three\'\n'
    )
    file = read(text)
    source = file.source
    found = [(c.values(), c.cwd, source.line(c.start), source.column(c.start)) for _, c in file.commands("make")]
    assert found == [(["one"], "/a", 5, 3), (["two", "$X"], "/", 6, 12), (["three"], "/", 7, 33)]


@pytest.mark.parametrize(
    ("script", "lost"),
    [
        ("make", ""),
        ("make && true", ""),
        ("make || true", "true"),
        ("make && rm x || true", "true"),
        ("make; rm x", "sequence"),
        ("set -e; make; rm x", ""),
        ("set -e; make && rm x; rm y", "and-list"),
        ("set -e; make && rm x", ""),
        ("make | tee log", "pipe"),
        ("set -o pipefail; make | tee log", ""),
        ("make && rm x 2>&1 | tee log", ""),
        ("make && rm x 2>&1 | tee log && rm y", ""),
        ("rm x && make 2>&1 | tee log && rm y", "pipe"),
        ("make && rm x > y | tee log || true", "true"),
        ("set -e; make && rm x 2>&1 | tee log; rm y", "and-list"),
        ("make || rm x 2>&1 | tee log", ""),
        ("if make; then rm x; fi; rm y", ""),
        ("make || { echo no; exit 1; }", ""),
        ("if [ -f x ]; then make; fi", ""),
        ("if [ -f x ]; then make; fi; rm y", "sequence"),
        ("set -e; case x in a) make && rm x ;; esac; rm y", "and-list"),
        ("! make", ""),
        ("(set -e; make; rm x)", ""),
    ],
)
def test_where_a_failure_goes(script: str, lost: str) -> None:
    parsed = shell.read(MappedText.of(script.encode(), 0), interpreter=("/bin/sh", "-c"), cwd="/")
    assert [command.lost for command in parsed.commands if command.name == "make"] == [lost]


def test_a_redirect_of_a_list_is_of_its_last_command() -> None:
    parsed = shell.read(MappedText.of(b"a && b >> f; { c; d; } > g", 0), interpreter=("sh",), cwd="/")
    assert {c.name: [r.target.value for r in c.redirects] for c in parsed.commands} == {
        "a": [],
        "b": ["f"],
        "c": ["g"],
        "d": ["g"],
    }


def test_words_and_redirects_before_a_pipe_are_of_its_first_member() -> None:
    text = b"a 1 && b 2 >f 3 2>&1 | c 4 && d 5"
    parsed = shell.read(MappedText.of(text, 0), interpreter=("sh",), cwd="/")
    assert [(c.name, c.values(), [r.target.value for r in c.redirects], c.position) for c in parsed.commands] == [
        ("a", ["1"], [], 0),
        ("b", ["2", "3"], ["f", "1"], 0),
        ("c", ["4"], [], 1),
        ("d", ["5"], [], 0),
    ]
    assert [bool(c.pipeline) for c in parsed.commands] == [False, True, True, False]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${A}-$B", "gfx942-rocm720-x-"),
        ("${A%-*}", "gfx942-rocm720"),
        ("${A%%-*}", "gfx942"),
        ("${A#*-}", "rocm720-x"),
        ("${A##*-}", "x"),
        ("${B:-${A%%-*}}", "gfx942"),
        ("${B:+set}", ""),
        ("${A:+set}", "set"),
        ("$UNKNOWN", None),
        ("${UNKNOWN:-x}", None),
        ("$(id)", None),
        ("plain", "plain"),
    ],
)
def test_expansions(text: str, value: str | None) -> None:
    assert expand(text, {"A": "gfx942-rocm720-x", "B": ""}.get) == value


def test_quotes_of_dockerfile_values() -> None:
    assert unquote('"a b"\'c d\'e\\ f\\"') == 'a bc de f"'


SELECTED = """\
ARG GPU_ARCH=gfx950
ARG BASE_942=rocm/a:ubuntu22.04
ARG BASE_950=rocm/a:ubuntu24.04
FROM $BASE_942 AS gfx942
ENV FLAG=0 PIN=one
FROM $BASE_950 AS gfx950
ENV FLAG=1 PIN=two
FROM scratch AS sources
FROM ${GPU_ARCH}
ARG GPU_ARCH
ARG PIN_OVERRIDE
ENV ARCH=${GPU_ARCH%%-*} USED=${PIN_OVERRIDE:-$PIN}
COPY --from=sources / /
WORKDIR app
RUN if [ "$FLAG" = 1 ]; then make on; else make off; fi
"""


def test_scopes_follow_the_selecting_argument() -> None:
    file = read(SELECTED)
    scopes, final = file.scopes, file.dockerfile.stages[-1]
    assert [variant.label for variant in scopes.variants] == ["gfx950", "gfx942"]
    end = len(file.dockerfile.instructions)
    values = [
        [scopes.value(final, end, name, variant) for name in ("ARCH", "USED", "FLAG")] for variant in scopes.variants
    ]
    assert values == [["gfx950", "two", "1"], ["gfx942", "one", "0"]]
    assert [scopes.base_image(final, v) for v in scopes.variants] == ["rocm/a:ubuntu24.04", "rocm/a:ubuntu22.04"]
    assert scopes.workdir(final, end, scopes.default) == "/app"


def test_a_branch_that_a_variant_never_takes_is_dead() -> None:
    file = read(SELECTED)
    live = {c.values()[0]: [v.label for v in file.live_variants(run, c)] for run, c in file.commands("make")}
    assert live == {"on": ["gfx950"], "off": ["gfx942"]}


def test_the_last_of_arg_and_env_wins_as_buildkit_has_it() -> None:
    file = read("FROM x\nENV A=env\nARG A=arg\nRUN true\nENV A=again\nRUN true\n")
    stage = file.dockerfile.stages[0]
    first, second = [run.instruction.index for run in file.runs]
    assert file.scopes.value(stage, first, "A", file.scopes.default) == "arg"
    assert file.scopes.value(stage, second, "A", file.scopes.default) == "again"


def test_a_file_that_is_none_is_said_so() -> None:
    for data in (b"", b"\n\n", b"\xff\xfe", b"FROM x\nRUN <<EOF\nunclosed\n", b"RUN true\n", b"FORM x\n"):
        dockerfile = parse(Source.read("f", data))
        assert dockerfile.problems or not dockerfile.stages
