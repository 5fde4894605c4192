"""The base of records that travel between processes as JSON, and the way back for those that are plain dataclasses."""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

R = TypeVar("R")


class Record(BaseModel):
    """Immutable, and refuses fields that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


def read_as(kind: type[R], record: Any) -> R:
    """A dataclass from JSON; keys of later versions are left out.

    Raises:
        ValueError: it is something else.
    """
    try:
        found: R = _reader(kind).validate_python(record)  # type: ignore[arg-type] # a type is hashable
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise ValueError(f"{'.'.join(map(str, first['loc'])) or 'the whole'}: {first['msg']}") from None
    return found


@cache
def _reader(kind: type[Any]) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
