"""The models' shape as data: which keys a place takes, and how a value there is inherited."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from pydantic import BaseModel

ANY: Final = "*"
Path = tuple[str, ...]
T = typing.TypeVar("T")


@dataclass(frozen=True, slots=True)
class Shape:
    """Paths (``*`` stands for any key or index) of one model and all models below it."""

    keys: Mapping[Path, tuple[str, ...]]
    inherit: Mapping[Path, str]

    def keys_at(self, path: tuple[str | int, ...]) -> tuple[str, ...]:
        """The keys that a mapping at ``path`` takes; empty where it takes any."""
        return _lookup(self.keys, path) or ()

    def inherit_at(self, path: tuple[str | int, ...]) -> str:
        """``append``, ``replace`` or ``merge``."""
        return _lookup(self.inherit, path) or "merge"


def _lookup(table: Mapping[Path, T], path: tuple[str | int, ...]) -> T | None:
    names = [str(step) for step in path]
    for pattern, value in table.items():
        if len(pattern) == len(names) and all(p in (ANY, n) for p, n in zip(pattern, names, strict=True)):
            return value
    return None


@cache
def shape_of(model: type[BaseModel]) -> Shape:
    """The shape of ``model``."""
    keys: dict[Path, tuple[str, ...]] = {}
    inherit: dict[Path, str] = {}
    _walk(model, (), keys, inherit)
    return Shape(types.MappingProxyType(keys), types.MappingProxyType(inherit))


def _walk(model: type[BaseModel], at: Path, keys: dict[Path, tuple[str, ...]], inherit: dict[Path, str]) -> None:
    keys[at] = tuple(model.model_fields)
    for name, field in model.model_fields.items():
        extra = field.json_schema_extra
        if isinstance(extra, dict) and "x-inherit" in extra:
            inherit[(*at, name)] = str(extra["x-inherit"])
        for inner, step in _models(field.annotation):
            _walk(inner, (*at, name, *step), keys, inherit)


def _models(annotation: Any) -> list[tuple[type[BaseModel], Path]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [(annotation, ())]
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    step: Path = () if origin in (typing.Union, types.UnionType, typing.Annotated) else (ANY,)
    if origin is Mapping or (isinstance(origin, type) and issubclass(origin, Mapping)):
        arguments = arguments[1:]
    return [(model, step + rest) for argument in arguments for model, rest in _models(argument)]
