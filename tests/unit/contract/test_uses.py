"""Which names a file uses, and which it does not."""

from __future__ import annotations

import pytest

from rocmimg.contract.scan import read_uses

from .conftest import brief, only

SOURCE = {
    "aiter/__init__.py": """\
        from .ops import there
        from .kinds import ActivationType
    """,
    "aiter/ops.py": """\
        def there(a, b=1): ...
        def other(a): ...
    """,
    "aiter/kinds.py": """\
        from enum import Enum
        class ActivationType(Enum):
            Silu = 1
    """,
}


def targets(text: str) -> list[str]:
    return sorted({use.target for use in read_uses(text.encode(), "aiter").uses})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import aiter.ops as o\no.there(1)", ["aiter.ops", "aiter.ops.there"]),
        ("from aiter import ops\nops.there(1)", ["aiter.ops", "aiter.ops.there"]),
        ("import aiter as a\ng = a.there\ng(1)", ["aiter", "aiter.there"]),
        ("import importlib\nm = importlib.import_module('aiter.ops')\nm.there(1)", ["aiter.ops", "aiter.ops.there"]),
        ("def f():\n    global aiter\n    import aiter\ndef g():\n    aiter.there(1)", ["aiter", "aiter.there"]),
        ("import torch\ntorch.ops.aiter.there(1)", ["torch.ops.aiter.there"]),
        ("f = lambda: 1\nimport aiter\nh = lambda x: aiter.there(x)", ["aiter", "aiter.there"]),
        ("import aiter\n[aiter.there(a) for a in ()]", ["aiter", "aiter.there"]),
    ],
)
def test_found(text, expected):
    assert targets(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "async def f(x):\n    async for y in aiter(x): pass\n    return aiter(x).gone",  # Python's own aiter
        "import aiter_tools\naiter_tools.gone()",
        "from .aiter import gone",
        "from mine.aiter import gone",
        "x = 'aiter.gone'",
        "# from aiter import gone",
        "def f(aiter):\n    return aiter.gone",
        "use_aiter = True\nuse_aiter.gone",
    ],
)
def test_not_ours(text):
    assert targets(text) == []


def test_one_name_from_two_packages_is_ambiguous_and_not_judged(check):
    contract = check(
        """\
        import torch
        if torch.version.hip:
            from aiter import ActivationType
        else:
            from flashinfer import ActivationType
        def f():
            return ActivationType.Swiglu
        """,
        SOURCE,
    )
    assert contract.findings == ()
    assert contract.ambiguous == 1


def test_in_its_own_branch_the_name_is_certain(check):
    contract = check(
        """\
        import torch
        if torch.version.hip:
            from aiter import ActivationType
            x = ActivationType.Swiglu
        else:
            from flashinfer import ActivationType
        """,
        SOURCE,
    )
    assert only(contract).target == "aiter.ActivationType.Swiglu"


def test_a_placeholder_does_not_make_a_name_ambiguous(check):
    contract = check(
        """\
        there = None
        try:
            from aiter import there
        except ImportError:
            there = None
        def f():
            return there(1, c=2)
        """,
        SOURCE,
    )
    assert only(contract).verdict == "bad-argument"


def test_one_cause_is_reported_once(check):
    contract = check(
        """\
        from aiter import gone
        def f():
            gone.a()
            gone.b()
            return gone(1)
        """,
        SOURCE,
    )
    assert only(contract).line == 1
    assert contract.dependent == 3


def test_further_lines_stand_beside_the_first(check):
    contract = check(
        """\
        def f():
            from aiter import gone
        def g():
            from aiter import gone
        """,
        SOURCE,
    )
    assert (only(contract).line, only(contract).lines) == (2, (4,))


def test_a_name_made_at_run_time_is_unknown_not_fine(check):
    contract = check(
        """\
        import aiter
        def f(name):
            return getattr(aiter, name)
        """,
        SOURCE,
    )
    assert brief(contract) == [("aiter.*", 3, "lazy", "none", "unknown", "unknown")]
    assert contract.unknown == 1


def test_a_loop_over_literal_names_is_read(check):
    contract = check(
        """\
        import aiter
        for name in ("there", "gone"):
            f = getattr(aiter, name, None)
        """,
        SOURCE,
    )
    assert brief(contract) == [("aiter.gone", 3, "import", "probed", "missing-name", "info")]


def test_a_file_that_does_not_parse_is_reported_and_the_others_are_read(check, tmp_path):
    broken = tmp_path / "framework" / "fw" / "broken.py"
    broken.parent.mkdir(parents=True)
    broken.write_text("from aiter import (\n")
    contract = check("from aiter import gone", SOURCE)
    assert any("fw/broken.py:1" in note for note in contract.notes)
    assert only(contract).file == "fw/user.py"


@pytest.mark.parametrize("depth", [300, 900, 3000, 90_000])
def test_a_text_that_is_nested_too_deeply_is_reported_not_fatal(check, depth):
    contract = check("import aiter\nx = " + "+".join(["aiter.there"] * depth) + "\n", SOURCE)
    assert contract.resolved or "nested" in contract.notes[0] or "recursion" in contract.notes[0]


def test_warnings_of_the_parser_are_not_ours(check):
    assert check('from aiter import there\npattern = "\\d"\n', SOURCE).findings == ()


@pytest.mark.parametrize(
    ("call", "wrong"),
    [
        ("there(1)", ""),
        ("there(a=1, b=2)", ""),
        ("there(1, 2)", ""),
        ("there(*xs)", ""),
        ("there(1, **kw)", ""),
        ("there(1, c=2)", "unknown keyword argument 'c'"),
        ("there(1, c=2, **kw)", "unknown keyword argument 'c'"),
        ("there()", "required argument 'a' missing"),
        ("there(b=1)", "required argument 'a' missing"),
        ("there(1, 2, 3)", "takes 2 positional arguments, 3 are given"),
        ("there(1, a=2)", "argument 'a' is given twice"),
    ],
)
def test_call(check, call, wrong):
    contract = check(f"from aiter import there\nxs = kw = ()\n{call}\n", SOURCE)
    assert [f.verdict for f in contract.findings] == (["bad-argument"] if wrong else [])
    assert wrong in "".join(f.message for f in contract.findings)
