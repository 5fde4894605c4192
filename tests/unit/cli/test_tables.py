"""Tables on terminals of several widths: whole words, or blocks."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from rocmimg.report import table

TAG = "registry.example.com/some/project:v0.5.10-rocm720-mi30x"
HEADER = ("cell", "status", "tags", "why")
ROWS = (
    ("rocm720-gfx942", "built", TAG, "stage aiter changed; stage final changed; the base image is another one now"),
    ("", "", f"{TAG}-20261130", ""),
    ("rocm720-gfx950-mori", "up-to-date", "", "x"),
)


def shown(columns: int) -> list[str]:
    screen = Console(file=io.StringIO(), width=columns, force_terminal=True, color_system=None)
    table._print_rich(screen, HEADER, ROWS)
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue().splitlines()


@pytest.mark.parametrize("columns", [30, 60, 80, 120, 160, 200])
def test_no_id_and_no_tag_is_broken(columns: int) -> None:
    text = "\n".join(shown(columns))
    for row in ROWS:
        for word in " ".join(row).split():
            assert word in text, word


@pytest.mark.parametrize("columns", [130, 160, 200])
def test_a_wide_terminal_has_a_table(columns: int) -> None:
    first, *rest = shown(columns)
    assert first.split() == list(HEADER)
    assert all(len(line) <= columns for line in rest)


def test_a_narrow_one_has_blocks() -> None:
    assert [line.rstrip() for line in shown(80)] == [
        "rocm720-gfx942",
        "  status  built",
        f"  tags    {TAG}",
        "  why     stage aiter changed; stage final changed; the base image is another",
        "          one now",
        f"  tags    {TAG}-20261130",
        "rocm720-gfx950-mori",
        "  status  up-to-date",
        "  why     x",
    ]


def test_short_columns_get_what_they_want_and_the_longest_the_rest() -> None:
    rows = [("a" * 10, "word " * 6, "word " * 40)]
    assert table.column_widths(("x", "y", "z"), rows, 100) == [10, 30, 54]
    assert table.column_widths(("x", "y", "z"), rows, 64) == [10, 24, 24]
    assert table.column_widths(("x", "y", "z"), rows, 63) is None


def test_text_keeps_long_words_whole() -> None:
    assert table.filled(f"one {'x' * 200} two", "  ", "    ").splitlines() == ["  one", f"    {'x' * 200}", "    two"]
