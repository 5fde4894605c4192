"""When a use runs, how it is guarded, and the level that follows."""

from __future__ import annotations

import pytest

from .conftest import brief

SOURCE = {
    "aiter/__init__.py": "from .ops import there\n",
    "aiter/ops.py": "def there(a, b=1): ...\n",
}
NAME = "aiter.gone"
MODULE = "aiter.gone"

CASES = {
    "unguarded on import": (
        "from aiter import gone",
        [(NAME, 1, "import", "none", "missing-name", "error")],
    ),
    "unguarded in a function": (
        """\
        def f():
            from aiter import gone
        """,
        [(NAME, 2, "lazy", "none", "missing-name", "warning")],
    ),
    "a default value runs on import": (
        """\
        import aiter
        def f(x=aiter.gone): ...
        """,
        [(NAME, 2, "import", "none", "missing-name", "error")],
    ),
    "a class body runs on import, its methods later": (
        """\
        import aiter
        class A:
            kind = aiter.gone
            def f(self):
                return aiter.gone_too
        """,
        [
            (NAME, 3, "import", "none", "missing-name", "error"),
            ("aiter.gone_too", 5, "lazy", "none", "missing-name", "warning"),
        ],
    ),
    "swallowed": (
        """\
        try:
            from aiter import gone
        except ImportError:
            gone = None
        """,
        [(NAME, 2, "import", "swallowed", "missing-name", "info")],
    ),
    "swallowed by suppress": (
        """\
        import contextlib
        with contextlib.suppress(ImportError):
            from aiter import gone
        """,
        [(NAME, 3, "import", "swallowed", "missing-name", "info")],
    ),
    "a bare except swallows everything": (
        """\
        try:
            import aiter.gone
        except:
            pass
        """,
        [(MODULE, 2, "import", "swallowed", "missing-module", "info")],
    ),
    "raised again is no guard": (
        """\
        try:
            from aiter import gone
        except ImportError as e:
            raise RuntimeError("install aiter") from e
        """,
        [(NAME, 2, "import", "reraised", "missing-name", "error")],
    ),
    "ModuleNotFoundError does not catch a missing name": (
        """\
        try:
            from aiter import gone
        except ModuleNotFoundError:
            gone = None
        """,
        [(NAME, 2, "import", "none", "missing-name", "error")],
    ),
    "ModuleNotFoundError catches a missing module": (
        """\
        try:
            from aiter.gone import x
        except ModuleNotFoundError:
            x = None
        """,
        [(MODULE, 2, "import", "swallowed", "missing-module", "info")],
    ),
    "ImportError does not catch a missing attribute": (
        """\
        try:
            import aiter
            x = aiter.gone
        except ImportError:
            x = None
        """,
        [(NAME, 3, "import", "none", "missing-name", "error")],
    ),
    "the else branch of a try is not guarded by it": (
        """\
        try:
            import aiter
        except Exception:
            aiter = None
        else:
            x = aiter.gone
        """,
        [(NAME, 6, "import", "none", "missing-name", "error")],
    ),
    "a function that is defined in a try does not run in it": (
        """\
        try:
            def f():
                from aiter import gone
        except ImportError:
            pass
        """,
        [(NAME, 3, "lazy", "none", "missing-name", "warning")],
    ),
    "hasattr": (
        """\
        import aiter
        if hasattr(aiter, "gone"):
            aiter.gone()
        """,
        [
            (NAME, 2, "import", "probed", "missing-name", "info"),
        ],
    ),
    "hasattr in the same condition": (
        """\
        import aiter
        x = hasattr(aiter, "gone") and aiter.gone
        """,
        [(NAME, 2, "import", "probed", "missing-name", "info")],
    ),
    "hasattr kept in a name": (
        """\
        import aiter
        HAS = hasattr(aiter, "gone")
        if HAS:
            from aiter import gone
        """,
        [(NAME, 2, "import", "probed", "missing-name", "info")],
    ),
    "an early return after hasattr": (
        """\
        import aiter
        def f():
            if not hasattr(aiter, "gone"):
                return None
            return aiter.gone()
        """,
        [(NAME, 3, "lazy", "probed", "missing-name", "info")],
    ),
    "getattr with a default": (
        """\
        import aiter
        f = getattr(aiter, "gone", None)
        """,
        [(NAME, 2, "import", "probed", "missing-name", "info")],
    ),
    "getattr without a default": (
        """\
        import aiter
        f = getattr(aiter, "gone")
        """,
        [(NAME, 2, "import", "none", "missing-name", "error")],
    ),
    "find_spec of a module": (
        """\
        from importlib.util import find_spec
        if find_spec("aiter.gone") is not None:
            from aiter.gone import x
        """,
        [("aiter.gone", 2, "import", "probed", "missing-module", "info")],
    ),
    "find_spec of the package guards no name in it": (
        """\
        from importlib.util import find_spec
        if find_spec("aiter"):
            from aiter import gone
        """,
        [(NAME, 3, "import", "none", "missing-name", "error")],
    ),
    "a function that tests": (
        """\
        def has_gone() -> bool:
            try:
                from aiter import gone
            except ImportError:
                return False
            return True
        if has_gone():
            from aiter import gone
        """,
        [
            (NAME, 3, "lazy", "swallowed", "missing-name", "info"),
            (NAME, 8, "import", "probed", "missing-name", "info"),
        ],
    ),
    "a test that raises is no guard": (
        """\
        import aiter
        if not hasattr(aiter, "gone"):
            raise RuntimeError
        x = aiter.gone
        """,
        [
            (NAME, 2, "import", "probed", "missing-name", "info"),
            (NAME, 4, "import", "reraised", "missing-name", "error"),
        ],
    ),
    "types only": (
        """\
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            from aiter import gone
        """,
        [],
    ),
    "a script's own part runs later": (
        """\
        if __name__ == "__main__":
            from aiter import gone
        """,
        [(NAME, 2, "lazy", "none", "missing-name", "warning")],
    ),
    "annotations that are only text": (
        """\
        from __future__ import annotations
        import aiter
        def f(x: aiter.gone) -> aiter.gone: ...
        """,
        [],
    ),
    "annotations that are evaluated": (
        """\
        import aiter
        def f(x: aiter.gone): ...
        """,
        [(NAME, 2, "import", "none", "missing-name", "error")],
    ),
}


@pytest.mark.parametrize(("use", "expected"), CASES.values(), ids=CASES.keys())
def test_guard(check, use, expected):
    assert sorted(brief(check(use, SOURCE))) == sorted(expected)


def test_what_a_guard_hides_is_named(check):
    contract = check(
        """\
        class Fusion:
            def register(self):
                try:
                    from aiter import gone
                except ImportError:
                    return
        """,
        SOURCE,
    )
    assert "Fusion.register" in contract.findings[0].message
    assert "silently off" in contract.findings[0].message


def test_a_fallback_that_cannot_run_is_dead(check):
    contract = check(
        """\
        try:
            from aiter.ops import there
        except ImportError:
            from aiter.older import there
        """,
        SOURCE,
    )
    assert brief(contract) == [("aiter.older", 4, "import", "none", "dead-fallback", "info")]
    assert contract.dead == 1


def test_a_dead_fallback_may_be_an_attribute(check):
    contract = check(
        """\
        import aiter
        try:
            f = aiter.there
        except AttributeError:
            f = aiter.older
        """,
        SOURCE,
    )
    assert brief(contract) == [("aiter.older", 5, "import", "none", "dead-fallback", "info")]


def test_a_fallback_that_runs_is_judged(check):
    contract = check(
        """\
        try:
            from aiter.newer import there
        except ImportError:
            from aiter.older import there
        """,
        SOURCE,
    )
    assert brief(contract) == [
        ("aiter.older", 4, "import", "none", "missing-module", "error"),
        ("aiter.newer", 2, "import", "swallowed", "missing-module", "info"),
    ]


def test_a_handler_that_something_else_can_reach_is_judged(check):
    contract = check(
        """\
        try:
            import flashinfer
            from aiter.ops import there
        except ImportError:
            from aiter.older import there
        """,
        SOURCE,
    )
    assert brief(contract) == [("aiter.older", 5, "import", "none", "missing-module", "error")]


@pytest.mark.parametrize(
    ("handler", "guard", "level"),
    [("ImportError", "none", "error"), ("AttributeError", "none", "error"), ("TypeError", "swallowed", "info")],
)
def test_an_argument_that_does_not_fit_raises_a_type_error(check, handler, guard, level):
    contract = check(
        f"""\
        from aiter.ops import there
        try:
            there(1, c=2)
        except {handler}:
            pass
        """,
        SOURCE,
    )
    assert brief(contract) == [("aiter.ops.there", 3, "import", guard, "bad-argument", level)]


@pytest.mark.parametrize(
    ("handler", "guard"), [("ModuleNotFoundError", "none"), ("ImportError", "swallowed"), ("AttributeError", "none")]
)
def test_a_name_that_is_missing_from_a_module_is_no_missing_module(check, handler, guard):
    contract = check(
        f"""\
        try:
            from aiter.ops import gone
        except {handler}:
            gone = None
        """,
        SOURCE,
    )
    level = "info" if guard == "swallowed" else "error"
    assert brief(contract) == [("aiter.ops.gone", 2, "import", guard, "missing-name", level)]
