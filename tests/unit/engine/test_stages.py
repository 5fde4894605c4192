"""A Dockerfile as one build per stage."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from rocmimg.engine import BuildRequest
from rocmimg.engine.context import ContextFile
from rocmimg.engine.stages import build_by_stage
from rocmimg.errors import BuildError, SourceError


def parts(text: str, **fields: object) -> list[BuildRequest]:
    """What is built for ``text``; image N is called ``sha256:N``."""
    asked: list[BuildRequest] = []

    def build(part: BuildRequest, stage: str, shown: Callable[[str], str]) -> str:
        asked.append(part)
        return f"sha256:{len(asked)}"

    build_by_stage(BuildRequest(dockerfile=text, **fields), build)
    return asked


def texts(text: str, **fields: object) -> list[str]:
    return [part.dockerfile for part in parts(text, **fields)]


def test_one_stage_stays_as_it_is() -> None:
    text = "# syntax-like comment\nARG V=1\nFROM base:$V\nRUN a \\\n  # in between\n  && b\nENV C=d\n"
    assert texts(text) == [text.replace("base:$V", "base:1")]


@pytest.mark.parametrize(
    ("step", "rewritten"),
    [
        ("COPY --from=a /x /y", "COPY --from=sha256:1 /x /y"),
        ("COPY --chown=1:2 --from=A /x /y", "COPY --chown=1:2 --from=sha256:1 /x /y"),
        ("COPY --from=0 /x /y", "COPY --from=sha256:1 /x /y"),
        ("COPY --from=image:1 /x /y", "COPY --from=image:1 /x /y"),
        (
            "RUN --mount=type=bind,from=a,source=/w,target=/w,readonly ls /w",
            "RUN --mount=type=bind,from=sha256:1,source=/w,target=/w,readonly ls /w",
        ),
        ("RUN --mount=from=a,dst=/w true", "RUN --mount=type=bind,from=sha256:1,target=/w true"),
        ("RUN --mount=type=cache,target=/c true", "RUN --mount=type=cache,target=/c true"),
        ("RUN echo --mount=from=a --from=a", "RUN echo --mount=from=a --from=a"),
    ],
)
def test_other_stages_are_named_by_their_image(step: str, rewritten: str) -> None:
    *_, last = texts(f"FROM base AS a\nRUN one\nFROM base AS unused\nRUN two\nFROM a\n{step}\n")
    assert last == f"FROM sha256:1\n{rewritten}\n"


def test_only_what_the_target_needs_is_built_and_only_it_has_tags_and_labels() -> None:
    text = "FROM base AS a\nFROM a AS b\nFROM other AS c\nRUN broken\nFROM base AS d\nCOPY --from=b /x /x\nFROM c\n"
    found = parts(text, target="d", tags=("t:1",), labels={"z": 'a "b" $C', "k": "v"})
    assert [part.dockerfile.splitlines()[0] for part in found] == [
        "FROM base AS a",
        "FROM sha256:1 AS b",
        "FROM base AS d",
    ]
    assert [part.tags for part in found] == [(), (), ("t:1",)]
    assert all(part.labels == {} and part.target is None for part in found)
    assert found[-1].dockerfile.endswith('\nLABEL "k"="v" "z"="a \\"b\\" \\$C"\n')
    assert "LABEL" not in found[0].dockerfile


def test_a_label_with_several_lines_travels_as_an_argument() -> None:
    (part,) = parts("FROM base\n", labels={"k": "one\ntwo"}, build_args={"A": "b"})
    assert part.dockerfile == 'FROM base\nARG ROCMIMG_LABEL_0\nLABEL "k"="$ROCMIMG_LABEL_0"\n'
    assert part.build_args == {"A": "b", "ROCMIMG_LABEL_0": "one\ntwo"}


@pytest.mark.parametrize(
    ("given", "first"),
    [
        ({}, "FROM rocm/pytorch:7.2 AS gfx942"),
        ({"ARCH": "gfx950"}, "FROM other:1 AS gfx950"),
        ({"TAG": "x"}, "FROM rocm/pytorch:x AS gfx942"),
    ],
)
def test_arguments_choose_the_stage(given: dict[str, str], first: str) -> None:
    text = (
        'ARG TAG="7.2"\nARG BASE=rocm/pytorch:${TAG}\nARG ARCH=gfx942\n'
        "FROM ${BASE} AS gfx942\nFROM ${OTHER:-other:1} AS gfx950\nFROM $ARCH\nRUN x\n"
    )
    one, two = texts(text, build_args=given)
    head = "\n".join(text.splitlines()[:3])
    assert one == f"{head}\n{first}\n"
    assert two == f"{head}\nFROM sha256:1\nRUN x\n"


def test_a_mounted_folder_is_named_by_its_content() -> None:
    text = "FROM base\nRUN --mount=type=bind,source=files,target=/f cat /f/a\n"
    context = [ContextFile(path="files/a", data=b"1"), ContextFile(path="files2", data=b"2")]
    (one,) = parts(text, context=context)
    (same,) = parts(text, context=[*context[:1], ContextFile(path="files2", data=b"3")])
    (other,) = parts(text, context=[ContextFile(path="files/a", data=b"2"), context[1]])
    assert one.dockerfile == same.dockerfile != other.dockerfile
    sources = {word.partition("source=")[2].partition(",")[0] for word in one.dockerfile.split()} - {""}
    (source,) = sources
    assert {file.path: file.data for file in one.context} == {"files/a": b"1", "files2": b"2", f"{source}/a": b"1"}


@pytest.mark.parametrize("source", [".hidden/a", "./.hidden/a", "/.hidden/a", ".hidden/../.hidden//a"])
def test_a_mounted_file_may_begin_with_a_dot(source: str) -> None:
    context = [ContextFile(path=".hidden/a", data=b"1"), ContextFile(path="hidden/a", data=b"2")]
    (part,) = parts(f"FROM base\nRUN --mount=type=bind,source={source},target=/a cat /a\n", context=context)
    _, _, copy = part.context
    assert (copy.path.partition("/")[2].partition("/")[2], copy.data) == (".hidden/a", b"1")
    assert f"source={copy.path},target=/a" in part.dockerfile


@pytest.mark.parametrize("source", ["", ",source=.", ",src=/", ",source=./"])
def test_the_whole_context_can_be_mounted(source: str) -> None:
    (part,) = parts(
        f"FROM base\nRUN --mount=type=bind{source},target=/c ls\n", context=[ContextFile(path="a/b", data=b"")]
    )
    first, second = (file.path for file in part.context)
    assert first == "a/b"
    assert f"source={second.removesuffix('a/b')}" in part.dockerfile


def test_a_mounted_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="gone"):
        parts("FROM base\nRUN --mount=source=x,target=/x ls\n", context=[ContextFile(path="x", data=tmp_path / "gone")])


def test_progress_has_the_users_names_again() -> None:
    shown: list[str] = []

    def build(part: BuildRequest, stage: str, undo: Callable[[str], str]) -> str:
        shown.extend(f"{stage}: {undo(line)}" for line in part.dockerfile.splitlines() if line.startswith("RUN"))
        return "sha256:abc"

    text = (
        "FROM base AS Made\nRUN --mount=type=bind,source=f,target=/f cat /f\n"
        "FROM base\nRUN --mount=type=bind,from=Made,target=/m ls\n"
    )
    build_by_stage(BuildRequest(dockerfile=text, context=[ContextFile(path="f", data=b"")]), build)
    assert shown == [
        "Made: RUN --mount=type=bind,source=f,target=/f cat /f",
        "stage-1: RUN --mount=type=bind,from=made,target=/m ls",
    ]


def test_a_here_document_is_no_stage() -> None:
    text = "FROM base\nRUN <<EOT\nFROM nothing\nEOT\n"
    assert texts(text) == [text]


@pytest.mark.parametrize(
    ("text", "target"), [("RUN true\n", None), ("FROM base AS a\n", "b"), ("FROM\n", None), ("", None)]
)
def test_what_cannot_be_built_is_a_build_error(text: str, target: str | None) -> None:
    with pytest.raises(BuildError):
        parts(text, target=target)
