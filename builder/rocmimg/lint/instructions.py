"""One instruction in detail: flags, pairs, words, and the script as the shell gets it."""

from __future__ import annotations

import json
import posixpath
import re
import shlex
from typing import Any, Final

from rocmimg.lint.lines import LogicalLine, align, logical_line
from rocmimg.lint.syntax import SHELLS, Instruction, Pair
from rocmimg.lint.text import Builder, MappedText, Source

_HEREDOC: Final = re.compile(rb"\d*<<(-?)[^<]*")
_JSON_STRING: Final = re.compile(rb'"(?:[^"\\]|\\.)*"')
_JSON_ESCAPE: Final = re.compile(rb"\\(?:u[0-9a-fA-F]{4}|.)", re.DOTALL)
_PAIRED: Final = {"ENV", "LABEL", "ARG"}
_SHELL_FORM: Final = {"RUN", "CMD", "ENTRYPOINT"}


def read_instruction(source: Source, command: Any, index: int, escape: str) -> tuple[Instruction, LogicalLine]:
    """One instruction; `command` is what BuildKit's parser says about it."""
    keyword: str = command.cmd.upper()
    values: tuple[str, ...] = command.value
    first, last = command.start_line, min(command.end_line, len(source.lines))
    line = logical_line(source, first, last, escape)
    start = line.text.origin(0)
    end = source.lines[last - 1] + len(source.line_text(last).encode())
    script: MappedText | None = None
    shell: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    pairs: tuple[Pair, ...] = ()
    if keyword in _SHELL_FORM or (keyword == "ONBUILD" and (command.sub_cmd or "").upper() == "RUN"):
        words = values if command.json else ()
        script, shell = _script(source, command, line, end)
    elif keyword in _PAIRED:
        pairs = _pairs(keyword, values, line.text)
    elif keyword == "FROM":
        words = (*values[:1], *(values[2:3] if len(values) > 2 and values[1].lower() == "as" else ()))  # noqa: PLR2004
    else:
        words = values
    instruction = Instruction(
        keyword=keyword,
        start=start,
        end=max(end, start),
        index=index,
        flags=tuple((name, value) for name, _, value in (flag[2:].partition("=") for flag in command.flags)),
        pairs=pairs,
        words=words,
        script=script,
        shell=shell,
        files=_files(source, command, line) if keyword in {"COPY", "ADD"} else (),
    )
    return instruction, line


def _script(source: Source, command: Any, line: LogicalLine, end: int) -> tuple[MappedText | None, tuple[str, ...]]:
    """The text that the shell gets, and the interpreter where a here-document names its own."""
    if not command.value:
        return None, ()
    if command.json:
        return _exec_form(line.text, command.value)
    text = _placed(source, line.text, command.value[0].encode(), end)
    if not command.heredocs:
        return text, ()
    bodies = _heredocs(source, line.following, command.heredocs)
    alone = _HEREDOC.fullmatch(text.data)
    if alone and len(bodies) == 1 and len(_shell_words(text.data.partition(b"<<")[2])) == 1:
        body = _without_tabs(bodies[0]) if alone[1] else bodies[0]
        return body, shebang(body.data)
    builder = Builder()
    builder.add(text, 0, len(text.data))
    for heredoc, body in zip(command.heredocs, bodies, strict=True):
        at = body.origin(0)
        builder.literal(b"\n", at)
        builder.add(body, 0, len(body.data))
        builder.literal(heredoc.name.encode(), body.origin(len(body.data)))
    return builder.done(), ()


def shebang(script: bytes) -> tuple[str, ...]:
    """The interpreter that the first line of a script names, with its options; nothing where it names none."""
    if not script.startswith(b"#!"):
        return ()
    words = script[2:].partition(b"\n")[0].decode(errors="replace").split()
    if words and posixpath.basename(words[0]) == "env":
        words = [word for word in words[1:] if word != "-S" and "=" not in word]
    return tuple(words)


def _files(source: Source, command: Any, line: LogicalLine) -> tuple[tuple[str, MappedText], ...]:
    bodies = _heredocs(source, line.following, command.heredocs)
    return tuple((heredoc.name, body) for heredoc, body in zip(command.heredocs, bodies, strict=True))


def _shell_words(text: bytes) -> list[str]:
    try:
        return shlex.split(text.decode(errors="replace"))
    except ValueError:
        return []


def _placed(source: Source, line: MappedText, wanted: bytes, end: int) -> MappedText:
    """BuildKit's text with places: the end of the logical line; found byte by byte where that does not agree."""
    whole = line.data.rstrip()
    if whole.endswith(wanted):
        return line.cut(len(whole) - len(wanted), len(whole))
    return align(wanted, source, line.origin(0), end)


def _heredocs(source: Source, number: int, heredocs: Any) -> list[MappedText]:
    bodies: list[MappedText] = []
    for heredoc in heredocs:
        content = heredoc.content.encode()
        start = source.lines[number - 1] if number <= len(source.lines) else len(source.data)
        if source.data[start : start + len(content)] == content:
            bodies.append(MappedText.of(content, start))
        else:
            bodies.append(align(content, source, start, len(source.data)))
        number += content.count(b"\n") + 1
    return bodies


def _without_tabs(body: MappedText) -> MappedText:
    """What ``<<-`` leaves."""
    builder = Builder()
    position = 0
    for line in body.data.splitlines(keepends=True):
        tabs = len(line) - len(line.lstrip(b"\t"))
        builder.add(body, position + tabs, position + len(line))
        position += len(line)
    return builder.done(body.origin(0))


def _exec_form(line: MappedText, values: tuple[str, ...]) -> tuple[MappedText, tuple[str, ...]]:
    """``["bash", "-c", "script"]`` as the script; another array as one command."""
    found = list(_JSON_STRING.finditer(line.data))[-len(values) :]
    strings = [_json_string(line, match) for match in found]
    at = next((i for i, value in enumerate(values) if i and re.fullmatch(r"-\w*c", value)), len(values))
    if posixpath.basename(values[0]) in SHELLS and at + 1 < len(values):
        return strings[at + 1], values[: at + 1]
    builder = Builder()
    for string in strings:
        value = string.data.decode(errors="replace")
        plain = value == shlex.quote(value) or "'" in value
        builder.literal(b" " if plain else b" '", string.origin(0))
        builder.add(string, 0, len(string.data))
        builder.literal(b"" if plain else b"'", string.origin(len(string.data)))
    return builder.done(line.origin(0)), ("sh",)


def _json_string(line: MappedText, match: re.Match[bytes]) -> MappedText:
    builder = Builder()
    position = match.start() + 1
    for escape in _JSON_ESCAPE.finditer(line.data, position, match.end() - 1):
        builder.add(line, position, escape.start())
        try:
            decoded = str(json.loads(b'"' + escape[0] + b'"'))
        except ValueError:
            decoded = escape[0].decode(errors="replace")
        builder.literal(decoded.encode(errors="replace"), line.origin(escape.start()))
        position = escape.end()
    builder.add(line, position, match.end() - 1)
    return builder.done(line.origin(match.start()))


def _pairs(keyword: str, values: tuple[str, ...], line: MappedText) -> tuple[Pair, ...]:
    if keyword == "ARG":
        named = [(name, value if equals else None) for name, equals, value in (v.partition("=") for v in values)]
    else:
        named = list(zip(values[::2], values[1::2], strict=False))
    position = len(keyword)
    pairs: list[Pair] = []
    for name, value in named:
        text = name.encode() if value is None else name.encode() + b"=" + value.encode()
        at = line.data.find(text, position)
        if at < 0:  # `ENV NAME value`
            at = max(line.data.find(name.encode(), position), 0)
            text = name.encode()
            if value and (after := line.data.find(value.encode(), at + len(text))) >= 0:
                text = line.data[at : after + len(value.encode())]
        position = at + len(text)
        pairs.append(Pair(name=name, value=value, start=line.origin(at), end=line.origin(max(position - 1, at)) + 1))
    return tuple(pairs)
