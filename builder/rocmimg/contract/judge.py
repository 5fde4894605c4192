"""Uses against a source: verdict, guard and level of each, and each cause once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from rocmimg.contract.model import (
    Binding,
    Call,
    FileUses,
    Finding,
    GuardKind,
    Handler,
    Level,
    Parameter,
    Use,
    Verdict,
)
from rocmimg.contract.rules import Rules
from rocmimg.contract.source import SourcePackage

_RAISED: Final[dict[str, tuple[str, ...]]] = {
    "missing-module": ("ModuleNotFoundError", "ImportError"),
    "missing-name": ("ImportError",),
    "attribute": ("AttributeError",),
    "bad-argument": ("TypeError",),
}
_ALL: Final = ("Exception", "BaseException")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a use comes to at one commit."""

    verdict: Verdict | None
    """None: it is there."""
    at: str = ""
    why: str = ""
    conditional: bool = False
    checked_call: bool = False


@dataclass(slots=True, kw_only=True)
class Tally:
    """Counts over the uses of a framework."""

    uses: int = 0
    resolved: int = 0
    conditional: int = 0
    unknown: int = 0
    ambiguous: int = 0
    dead: int = 0
    dependent: int = 0
    calls: int = 0
    targets: set[str] = field(default_factory=set)


def outcome(use: Use, source: SourcePackage) -> Outcome:
    """Look one use up in a source."""
    if use.kind == "dynamic":
        return Outcome(verdict="unknown", at=use.target, why="the name is made at run time")
    found = source.resolve(use.target, use.module)
    if found.status != "resolved":
        verdict: Verdict = found.status
        if verdict == "missing-module" and use.kind == "name" and found.at == use.target:
            verdict = "missing-name"
        return Outcome(verdict=verdict, at=found.at, why=found.why)
    parameters = signature(found.bindings, source.rules) if use.call is not None and found.bindings else None
    if use.call is None or parameters is None:
        return Outcome(verdict=None, at=found.at, conditional=found.conditional)
    wrong = misfit(use.call, parameters)
    if wrong:
        return Outcome(verdict="bad-argument", at=use.target, why=wrong, checked_call=True)
    return Outcome(verdict=None, at=found.at, conditional=found.conditional, checked_call=True)


def judge(file: str, uses: FileUses, source: SourcePackage, tally: Tally) -> list[tuple[Finding, Use]]:
    """Findings of one file, each with a use that shows it; counts go into the tally."""
    outcomes = [outcome(use, source) for use in uses.uses]
    broken = {u.target for u, o in zip(uses.uses, outcomes, strict=True) if u.kind != "probe" and _is_missing(o)}
    failing = _failing_tries(uses, outcomes)
    found: list[tuple[Finding, Use]] = []
    for use, result in zip(uses.uses, outcomes, strict=True):
        tally.uses += 1
        tally.targets.add(use.target)
        tally.calls += result.checked_call
        if use.ambiguous:
            tally.ambiguous += 1
        elif result.verdict is None:
            tally.resolved += 1
            tally.conditional += result.conditional
        elif result.verdict != "bad-argument" and use.via and _hangs_on(use.via, broken):
            tally.dependent += 1
        elif _is_dead(use, uses, failing):
            tally.dead += 1
            if _is_missing(result):
                found.append((_finding(file, use, result, uses, dead=True), use))
        else:
            tally.unknown += result.verdict == "unknown"
            found.append((_finding(file, use, result, uses, dead=False), use))
    return _once(found)


def _is_missing(result: Outcome) -> bool:
    return result.verdict in ("missing-module", "missing-name")


def _hangs_on(via: str, broken: set[str]) -> bool:
    return any(via == target or via.startswith(target + ".") for target in broken)


def _failing_tries(uses: FileUses, outcomes: list[Outcome]) -> set[int]:
    """``try`` statements whose body does not run through at this commit."""
    failing: set[int] = set()
    for use, result in zip(uses.uses, outcomes, strict=True):
        if result.verdict is not None and use.kind != "probe":
            failing.update(use.tries)
    return failing


def _is_dead(use: Use, uses: FileUses, failing: set[int]) -> bool:
    """True in the handler of a ``try`` that can only fail over the package's imports, and those are all there."""
    return any(uses.tries[index].pure and index not in failing for index in use.handler_of)


def _guard(use: Use, result: Outcome, uses: FileUses) -> GuardKind:
    raised = _RAISED.get("attribute" if use.kind == "attribute" and _is_missing(result) else result.verdict or "", _ALL)
    guard: GuardKind = "none"
    if use.kind == "probe":
        return "probed"
    for index in use.tries:
        for handler in uses.tries[index].handlers:
            if _catches(handler, raised):
                if not handler.reraises:
                    return "swallowed"
                guard = "reraised"
                break
    for probe in use.probes:
        covers = probe.target in (use.target, result.at)
        if result.verdict == "missing-module":
            covers = covers or probe.target.startswith(result.at + ".") or use.module == probe.target
        if covers:
            return "reraised" if probe.raises else "probed"
    return guard


def _catches(handler: Handler, raised: Iterable[str]) -> bool:
    return not handler.catches or bool({*raised, *_ALL} & set(handler.catches))


def _level(use: Use, result: Outcome, guard: GuardKind) -> Level:
    if result.verdict == "unknown":
        return "unknown"
    if guard in ("swallowed", "probed"):
        return "info"
    return "error" if use.when == "import" else "warning"


def _finding(file: str, use: Use, result: Outcome, uses: FileUses, *, dead: bool) -> Finding:
    guard = _guard(use, result, uses)
    verdict: Verdict = "dead-fallback" if dead else result.verdict or "unknown"
    target = result.at if _is_missing(result) and result.at else use.target
    return Finding(
        target=target,
        file=file,
        line=use.line,
        when=use.when,
        guard=guard,
        verdict=verdict,
        level="info" if dead else _level(use, result, guard),
        message=_message(use, result, guard, dead=dead),
    )


def _message(use: Use, result: Outcome, guard: GuardKind, *, dead: bool) -> str:
    target = result.at or use.target
    said = {
        "missing-module": f"module {target} is not there",
        "missing-name": f"{target} is not there" + (f" ({result.why})" if result.why else ""),
        "bad-argument": f"{use.target}: {result.why}",
    }.get(result.verdict or "", f"{use.target} cannot be told: {result.why}")
    where = f" in {use.scope}" if use.scope else ""
    if dead:
        return f"{said}; the fallback{where} is dead: what it stands in for is there"
    if result.verdict == "unknown":
        return said
    if guard in ("swallowed", "probed"):
        how = "a failed import is swallowed" if guard == "swallowed" else "it is tested for"
        return f"{said}; {how}{where}, so what needs it is silently off"
    when = "on import" if use.when == "import" else "when it runs"
    how = ", raised again after an except" if guard == "reraised" else ""
    return f"{said}; fails {when}{where}{how}"


def _once(found: list[tuple[Finding, Use]]) -> list[tuple[Finding, Use]]:
    """One finding per cause in a file; the other lines stand beside the first."""
    causes: dict[tuple[str, ...], tuple[Finding, Use]] = {}
    for finding, use in found:
        detail = finding.message if finding.verdict in ("bad-argument", "unknown") else ""
        key = (finding.target, finding.verdict, finding.level, finding.guard, finding.when, detail)
        if key not in causes:
            causes[key] = (finding, use)
        elif finding.line != causes[key][0].line:
            first, shown = causes[key]
            causes[key] = (replace(first, lines=tuple(sorted({*first.lines, finding.line}))), shown)
    return list(causes.values())


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
