"""Declares one of several checks that share a function."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pytest

from rocmimg.checks.api import check
from rocmimg.checks.model import Tier


def mark(check_id: str, *, tier: Tier, classes: Sequence[str] = ()) -> pytest.MarkDecorator:
    """:func:`rocmimg.checks.api.check` for one parameter of a parametrized check."""
    return cast("pytest.MarkDecorator", check(check_id, tier=tier, classes=classes))
