"""The shell text of a RUN is BuildKit's, byte for byte, and every byte knows where it stands in the file."""

from __future__ import annotations

import dockerfile as buildkit
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rocmimg.lint.dockerfile import parse
from rocmimg.lint.syntax import Instruction
from rocmimg.lint.text import Source

from .support import found, lines, read
from .test_robustness import BOUNDED, PIECES, SHAPES

FORMS = [
    "RUN [ a = b ] || ( \\\n    echo a && \\\n    rm -rf /x/* )\n",
    "RUN [[ -n $A ]] && \\\n  # why\n\n  echo b\n",
    'RUN [ "$A" = "1" ] \\\n && echo b\n',
    "RUN echo '#!/bin/sh\\n\\\nexec \"$@\"' > /e \\\n && chmod +x /e\n",
    "RUN echo 'a\\\n# not a comment of the shell\\\nb' && echo c # d\n",
    "RUN echo \"a # b\" '# c' \\\n#comment\n  && true\n",
    "RUN --mount=type=cache,target=/c --network=none   echo a  \\  \n\n  b\n",
    "run\techo é \\\r\n  ü\r\n",
    "RUN <<EOF\nset -e\n# kept\nmake \\\n  all\nEOF\n",
    "RUN <<-'EOF' cat\n\ta $b\n\tEOF\n",
    "RUN <<EOT bash\nmake\nEOT\n",
    "RUN bash <<A && python3 - <<'B'\nmake\nA\nprint('<<')\nB\n",
    "ONBUILD RUN [ a ] && b\n",
    "RUN echo $((1<<3)) && cat <<<x\n",
    "RUN \\\n\n  # first\n  echo a\\\\\n",
]


def scripts(text: str) -> list[tuple[Instruction, bytes]]:
    """Instructions with the text that BuildKit's parser gives them, here-documents as its dispatcher adds them."""
    parsed = parse(Source.read("f", text.encode()))
    official = [c for c in buildkit.parse_string(text) if c.cmd]
    pairs = []
    for instruction, command in zip(parsed.instructions, official, strict=True):
        if instruction.script is None or command.json:
            continue
        wanted = command.value[0]
        if instruction.keyword == "RUN" and command.heredocs:
            wanted += "".join(f"\n{heredoc.content}{heredoc.name}" for heredoc in command.heredocs)
        pairs.append((instruction, wanted.encode()))
    return pairs


def in_place(source: bytes, instruction: Instruction) -> bool:
    text = instruction.script
    assert text is not None
    return all(source[text.origin(i)] == byte for i, byte in enumerate(text.data))


@pytest.mark.parametrize("form", FORMS)
def test_the_text_is_the_engines(form: str) -> None:
    text = "FROM x\n" + form
    parsed = parse(Source.read("f", text.encode()))
    assert not parsed.problems
    for instruction, wanted in scripts(text):
        assert instruction.script is not None
        assert instruction.script.data in {wanted, wanted.partition(b"\n")[2].rpartition(b"\n")[0] + b"\n"}
    assert lines(text, "ROC051") == []


def test_every_byte_stands_where_its_place_says() -> None:
    for form in FORMS:
        if "<<" in form:
            continue  # the line ends between here-documents are the dispatcher's
        text = "FROM x\n" + form
        assert all(in_place(text.encode(), instruction) for instruction, _ in scripts(text)), form


@BOUNDED
@given(st.sampled_from([*SHAPES, *("FROM x\n" + form for form in FORMS)]), st.data())
def test_mutations_keep_the_engines_text(shape: str, data: st.DataObject) -> None:
    text = shape
    for _ in range(data.draw(st.integers(1, 5))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.integers(0, 12)))
        text = text[:start] + data.draw(st.sampled_from(["", *PIECES])) + text[end:]
    text = text.replace("\x00", "?")
    parsed = parse(Source.read("f", text.encode()))
    if parsed.problems:
        return
    for instruction, wanted in scripts(text):
        assert instruction.script is not None
        if b"<<" not in wanted:
            assert instruction.script.data == wanted
            assert in_place(text.encode(), instruction)


def test_a_here_document_of_another_interpreter_is_not_shell() -> None:
    python = "FROM x\nRUN <<EOF\n#!/usr/bin/env python3\nprint('a' if 1 else 'b')\nEOF\n"
    assert found(python) == found("FROM x\n")
    assert [c.name for _, c in read("FROM x\nRUN <<EOF\n#!/bin/bash -e\nmake a\nEOF\n").commands()] == ["make"]


@pytest.mark.parametrize("shell", ['["pwsh", "-c"]', '["/usr/bin/python3", "-c"]'])
def test_text_for_another_shell_is_left_alone(shell: str) -> None:
    assert lines(f"FROM scratch\nSHELL {shell}\nRUN if ($a -eq 1) {{ print(1\nRUN )(\n", "ROC051") == []


def test_bytes_that_are_not_text_are_no_error() -> None:
    data = b"FROM scratch\n# caf\xe9\nRUN echo '\xff' && )\n"
    parsed = parse(Source.read("f", data))
    assert not parsed.problems
    assert parsed.instructions[-1].start == data.index(b"RUN")
