"""Where names of the source are found: every way in which AITER's releases make them."""

from __future__ import annotations

import pytest

from .conftest import only


def verdicts(contract):
    return {finding.target: finding.verdict for finding in contract.findings}


CASES = {
    "a star import": ("from aiter import x", {"aiter/__init__.py": "from .a import *", "aiter/a.py": "x = 1"}, {}),
    "a chain of star imports": (
        "from aiter import x",
        {"aiter/__init__.py": "from .a import *", "aiter/a.py": "from .b import *", "aiter/b.py": "def x(): ..."},
        {},
    ),
    "a star import gives no private names": (
        "from aiter import _x",
        {"aiter/__init__.py": "from .a import *", "aiter/a.py": "_x = 1"},
        {"aiter._x": "missing-name"},
    ),
    "__all__ hides names from a star import": (
        "from aiter import x, y",
        {"aiter/__init__.py": "from .a import *", "aiter/a.py": "__all__ = ['y']\nx = y = 1"},
        {"aiter.x": "missing-name"},
    ),
    "what a module imports is a name of it": (
        "from aiter.a import Tensor",
        {"aiter/a.py": "from torch import Tensor"},
        {},
    ),
    "from . import module": (
        "import aiter\naiter.mla.decode()",
        {"aiter/__init__.py": "from . import mla", "aiter/mla.py": "def decode(): ..."},
        {},
    ),
    "a module and a function of one name": (
        "from aiter.fused import fused\nfused(1)",
        {"aiter/__init__.py": "from .fused import fused", "aiter/fused.py": "def fused(a): ..."},
        {},
    ),
    "a folder without __init__.py": (
        "from aiter.utility.fp4 import x\nfrom aiter.utility.nothing import y",
        {"aiter/utility/fp4.py": "x = 1"},
        {"aiter.utility.nothing": "missing-module"},
    ),
    "a branch for another platform": (
        "from aiter import x, y",
        {"aiter/__init__.py": "import sys\nif sys.platform == 'win32':\n    y = 1\nelse:\n    x = 1"},
        {"aiter.y": "missing-name"},
    ),
    "a gate on a variable of the environment, at its default": (
        "from aiter import x, y",
        {
            "aiter/__init__.py": """\
                import os, sys
                ONLY = os.getenv("AITER_TRITON_ONLY", "0") == "1" or sys.platform == "win32"
                AOT = int(os.environ.get("AITER_AOT_IMPORT", 0))
                if ONLY:
                    y = 1
                elif AOT:
                    y = 2
                else:
                    from .a import *
            """,
            "aiter/a.py": "x = 1",
        },
        {"aiter.y": "missing-name"},
    ),
    "an import error that the source swallows": (
        "from aiter import x, FLAG, gone",
        {
            "aiter/__init__.py": "try:\n    from .a import *\n    FLAG = True\nexcept ImportError:\n    FLAG = False",
            "aiter/a.py": "x = 1",
        },
        {"aiter.gone": "missing-name"},
    ),
    "a module-level __getattr__": (
        "from aiter.q import Round, Table, Other",
        {
            "aiter/q.py": """\
                TABLE = {"Table": "a"}
                def __getattr__(name):
                    if name in ("Round", "Mode"):
                        return 1
                    if name in TABLE:
                        return 2
                    raise AttributeError
            """
        },
        {"aiter.q.Other": "missing-name"},
    ),
    "a __getattr__ that cannot be read": (
        "from aiter.q import Anything",
        {"aiter/q.py": "def __getattr__(name):\n    return make(name)"},
        {"aiter.q.Anything": "unknown"},
    ),
    "names put into globals() by code": (
        "from aiter.d import DTYPE_fp8, other",
        {"aiter/d.py": "globals().update({f'DTYPE_{n}': n for n in ('fp8',)})"},
        {"aiter.d.DTYPE_fp8": "unknown", "aiter.d.other": "missing-name"},
    ),
    "a name that a function makes global": (
        "from aiter.d import late",
        {"aiter/d.py": "def init():\n    global late\n    late = 1"},
        {},
    ),
    "a generated module": ("from aiter._version import version", {"aiter/a.py": ""}, {}),
    "the source's own broken import is not certain": (
        "from aiter import x",
        {"aiter/__init__.py": "from .a import x", "aiter/a.py": ""},
        {"aiter.x": "unknown"},
    ),
    "a module of the source that does not parse": (
        "from aiter.a import x",
        {"aiter/a.py": "def ("},
        {"aiter.a.x": "unknown"},
    ),
    "a star import of something outside": (
        "from aiter.a import x",
        {"aiter/a.py": "from elsewhere import *"},
        {"aiter.a.x": "unknown"},
    ),
    "AITER's compiled twin adds nothing": (
        "from aiter import x",
        {"aiter/__init__.py": "from aiter_ import *"},
        {"aiter.x": "missing-name"},
    ),
    "a deleted branch of both kinds is certain": (
        "from aiter import x",
        {"aiter/__init__.py": "if unknown():\n    x = 1\nelse:\n    x = 2"},
        {},
    ),
    "attributes of a value are not the package's": (
        "import aiter\naiter.log.info('x')\naiter.f.cache_clear()",
        {"aiter/__init__.py": "import logging\nlog = logging.getLogger()\ndef f(a): ..."},
        {},
    ),
    "attributes that Python gives every module": (
        "import os, aiter\nos.path.dirname(aiter.__file__)\naiter.__version__",
        {"aiter/__init__.py": ""},
        {"aiter.__version__": "missing-name"},
    ),
    "members of a class": (
        "from aiter import E, Open\nE.a\nE.b\nE.__members__\nOpen.anything",
        {"aiter/__init__.py": "from enum import Enum\nclass E(Enum):\n    a = 1\nclass Open(Base): ..."},
        {"aiter.E.b": "missing-name"},
    ),
}


@pytest.mark.parametrize(("use", "source", "expected"), CASES.values(), ids=CASES.keys())
def test_names(check, use, source, expected):
    assert verdicts(check(use, source)) == expected


def test_submodules_behind_a_getattr_are_read(check):
    contract = check(
        "import mori\nmori.shmem.put\nmori.shmem.gone\nmori.other\n",
        {
            "mori/__init__.py": "LAZY = {'shmem'}\ndef __getattr__(name):\n    if name in LAZY:\n        return 1",
            "mori/shmem.py": "def put(): ...",
        },
        package="mori",
    )
    assert verdicts(contract) == {"mori.shmem.gone": "missing-name", "mori.other": "missing-name"}


BACKWARD = {
    "aiter/ops/__init__.py": "",
    "aiter/ops/triton/__init__.py": """\
        import sys
        _BACKWARD_COMPAT_MAP = {"gemm_a8w8": "gemm.basic.gemm_a8w8", "lost": "gemm.basic.lost"}
        sys.meta_path.insert(0, finder)
    """,
    "aiter/ops/triton/gemm/basic/gemm_a8w8.py": "def gemm_a8w8(x, w): ...",
}


def test_a_moved_module_is_found_under_its_old_name(check):
    contract = check(
        """\
        from aiter.ops.triton.gemm_a8w8 import gemm_a8w8
        import aiter.ops.triton.gemm_a8w8 as module
        gemm_a8w8(1, 2)
        module.gemm_a8w8(1, 2, y=3)
        """,
        BACKWARD,
    )
    assert only(contract).message.startswith("aiter.ops.triton.gemm_a8w8.gemm_a8w8: unknown keyword argument 'y'")


def test_a_table_of_moved_modules_is_not_believed_blindly(check):
    contract = check("from aiter.ops.triton.lost import x", BACKWARD)
    assert (only(contract).target, only(contract).verdict) == ("aiter.ops.triton.lost", "missing-module")


ENUMS = {
    "aiter/__init__.py": """\
        from .jit import compile_ops
        @compile_ops("core", "QuantType")
        def _QuantType(dummy): ...
        QuantType = type(_QuantType(0))
    """,
    "aiter/jit.py": "def compile_ops(*a): ...",
    "csrc/include/rocm_ops.hpp": """\
        pybind11::enum_<QuantType>(m, "QuantType") \\
            .value("No", QuantType::No)            \\
            .value("per_Token", aiter::QuantType::per_Token)
    """,
}


def test_members_of_a_cpp_enum_are_read_from_its_header(check):
    contract = check("import aiter\naiter.QuantType.per_Token\naiter.QuantType.per_1x32\n", ENUMS)
    assert verdicts(contract) == {"aiter.QuantType.per_1x32": "missing-name"}


def test_without_the_header_they_are_unknown(check):
    source = {path: text for path, text in ENUMS.items() if not path.endswith(".hpp")}
    assert verdicts(check("import aiter\naiter.QuantType.No\n", source)) == {"aiter.QuantType.No": "unknown"}


KERNELS = {
    "aiter/__init__.py": """\
        from .jit import compile_ops
        from other import mystery
        @compile_ops("module_norm")
        def norm(out, x, eps=1e-6): ...
        @mystery
        def wrapped(a): ...
        if cuda():
            def either(a): ...
        else:
            def either(a, b): ...
        class Comm:
            def __init__(self, group, *, size): ...
    """
}


@pytest.mark.parametrize(
    ("call", "fits"),
    [
        ("norm(1, 2)", True),
        ("norm(1, 2, custom_build_args={})", True),
        ("norm(1, 2, epsilon=1)", False),
        ("wrapped(1, 2, 3)", True),
        ("either(1, 2, 3)", True),
        ("Comm(1, size=2)", True),
        ("Comm(1)", False),
    ],
)
def test_a_kernel_stub_is_its_signature_and_an_unknown_decorator_is_none(check, call, fits):
    contract = check(f"import aiter\naiter.{call}\n", KERNELS)
    assert (contract.findings == ()) is fits


@pytest.mark.parametrize(
    ("use", "nearest"),
    [
        ("from aiter.a import moved", "aiter.b.moved"),
        ("from aiter.a import fused_rms_norm", "aiter.a.fused_rmsnorm"),
        ("import aiter.old.kernel", "aiter.new.kernel"),
        ("from aiter.a import quite_different", ""),
    ],
)
def test_nearest(check, use, nearest):
    source = {
        "aiter/a.py": "def fused_rmsnorm(): ...",
        "aiter/b.py": "moved: int = 1",
        "aiter/new/kernel.py": "",
    }
    assert only(check(use, source)).nearest == nearest


def test_another_package_needs_no_rules(check):
    contract = check("import mylib\nmylib.x\nmylib.y\n", {"mylib/__init__.py": "x = 1"}, package="mylib")
    assert verdicts(contract) == {"mylib.y": "missing-name"}


def test_a_compiled_module_of_triton_is_not_missing(check):
    contract = check(
        "from triton._C.libtriton import ir\nfrom triton.gone import x\n",
        {"triton/__init__.py": ""},
        package="triton",
    )
    assert verdicts(contract) == {"triton.gone": "missing-module"}


def test_what_a_branch_or_an_import_sets_decides_no_later_branch(check):
    contract = check(
        "from aiter import fast, slow, late\n",
        {
            "aiter/__init__.py": """\
                np = None
                try:
                    import numpy as np
                    HAS = True
                except ImportError:
                    HAS = False
                if HAS:
                    def fast(): ...
                else:
                    def slow(): ...
                if np is not None:
                    late = 1
            """
        },
    )
    assert (contract.findings, contract.conditional) == ((), 3)


def test_a_shared_object_in_an_installed_package_is_a_module(check, tmp_path):
    (tmp_path / "source" / "aiter").mkdir(parents=True)
    (tmp_path / "source" / "aiter" / "_core.cpython-311-x86_64-linux-gnu.so").write_bytes(b"")
    contract = check("from aiter._core import x\nfrom aiter._gone import y\n", {"aiter/a.py": ""})
    assert verdicts(contract) == {"aiter._gone": "missing-module"}
