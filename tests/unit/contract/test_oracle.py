"""Python itself as the judge: packages that are installed here, read as text and really imported."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import types
from pathlib import Path

import pytest

from rocmimg.contract.cache import ParseCache
from rocmimg.contract.judge import signature
from rocmimg.contract.model import ModuleFacts
from rocmimg.contract.rules import Rules
from rocmimg.contract.source import SourcePackage
from rocmimg.contract.stores import FolderStore


@pytest.mark.parametrize("name", ["click", "jinja2", "packaging", "yaml", "email", "logging", "concurrent"])
def test_text_and_import_agree(name):
    package = importlib.import_module(name)
    root = Path(package.__path__[0]).parent
    source = SourcePackage(FolderStore(root, name), Rules(package=name), ParseCache("facts", ModuleFacts))
    modules = [name, *(m.name for m in pkgutil.walk_packages(package.__path__, f"{name}.") if "__" not in m.name)]
    seen = 0
    for module in modules:
        if module == "click._winconsole":
            continue
        for attribute, value in vars(importlib.import_module(module)).items():
            if attribute.startswith("__"):
                continue
            seen += 1
            found = source.resolve(f"{module}.{attribute}", module)
            assert found.status in ("resolved", "unknown"), f"{module}.{attribute}"
            written = signature(found.bindings, source.rules)
            if written is not None and isinstance(value, types.FunctionType):
                assert [p.name for p in written] == list(inspect.signature(value).parameters), f"{module}.{attribute}"
        if not source.is_made(module):
            assert source.resolve(f"{module}.surely_not_there", module).status != "resolved"
    assert seen > 10
