"""One rule a module; a module named ``roc<number>_<word>`` in this package is a rule."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from rocmimg.lint.model import Rule


@cache
def all_rules() -> dict[str, Rule]:
    """Every rule by its id, in the order of the ids."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name.startswith("roc"))
    rules = (importlib.import_module(f"{__name__}.{name}").RULE for name in names)
    return {rule.id: rule for rule in rules}
