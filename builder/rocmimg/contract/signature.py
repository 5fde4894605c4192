"""Does a call fit a signature? Only where the text settles both."""

from __future__ import annotations

from rocmimg.contract.model import Binding, Call, Parameter
from rocmimg.contract.rules import Rules


def signature(bindings: tuple[Binding, ...], rules: Rules) -> tuple[Parameter, ...] | None:
    """The parameters that a call must fit; None where several definitions or a decorator leave that open."""
    if len(bindings) != 1:
        return None
    binding = bindings[0]
    added: list[Parameter] = []
    for decorator in binding.decorators:
        name = decorator.rpartition(".")[2]
        if name not in rules.transparent:
            return None
        added += [Parameter(name=k, kind="keyword", required=False) for d, k in rules.adds_keywords if d == name]
    if binding.kind == "function" or (binding.kind == "class" and binding.has_init):
        return (*binding.parameters, *added)
    return None


def misfit(call: Call, parameters: tuple[Parameter, ...]) -> str:
    """What is wrong with a call, in Python's own terms; "" where it fits or cannot be told."""
    named = {p.name for p in parameters if p.kind in ("either", "keyword")}
    if not any(p.kind == "kwargs" for p in parameters):
        unknown = [keyword for keyword in call.keywords if keyword not in named]
        if unknown:
            return f"unknown keyword argument{'s' if len(unknown) > 1 else ''} {', '.join(map(repr, unknown))}"
    places = [p for p in parameters if p.kind in ("positional", "either")]
    if call.positional > len(places) and not any(p.kind == "args" for p in parameters):
        return f"takes {len(places)} positional arguments, {call.positional} are given"
    filled = {p.name for p in places[: call.positional]}
    twice = sorted(filled & {p.name for p in places if p.kind == "either"} & set(call.keywords))
    if twice:
        return f"argument {twice[0]!r} is given twice"
    if call.open:
        return ""
    missing = [p.name for p in parameters if p.required and p.name not in filled and p.name not in call.keywords]
    if missing:
        return f"required argument{'s' if len(missing) > 1 else ''} {', '.join(map(repr, missing))} missing"
    return ""
