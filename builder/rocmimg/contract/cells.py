"""From cells to frameworks and the sources that they need."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rocmimg.contract.rules import Switches, with_switches
from rocmimg.errors import ContractBroken, SourceError
from rocmimg.problem import Problem
from rocmimg.source import Git, Local, Nothing, SourceSpec

if TYPE_CHECKING:
    from rocmimg.contract.baseline import Accepted
    from rocmimg.contract.check import Checker
    from rocmimg.contract.model import Contract
    from rocmimg.contract.pins import PinFinding
    from rocmimg.contract.probe import Answer, Names
    from rocmimg.contract.required import Required
    from rocmimg.matrix import Cell, Matrix, ResolvedComponent


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A framework, and a package that it may need."""

    framework: SourceSpec
    package: str
    source: SourceSpec
    switches: Switches = ()
    """What of the image's environment decides what the package offers."""
    note: str = ""
    """What of the sources this does not read."""

    @property
    def source_name(self) -> str:
        """The source and its switches, as a contract names them."""
        return with_switches(str(self.source), self.switches)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotRead:
    """A pair that could not be compared."""

    pair: Pair
    error: SourceError


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What ``contract.probe.PROGRAM`` is to be asked in an image, and what it must answer."""

    pair: Pair
    wanted: dict[str, str]
    expected: dict[str, Answer]


def not_run(pairs: Sequence[NotRead]) -> list[str]:
    """One line for each reason."""
    reasons: dict[str, list[str]] = {}
    for unread in pairs:
        shown = f"{unread.pair.framework} against {unread.pair.package}"
        reasons.setdefault(str(unread.error), []).append(shown)
    return [f"not run: {', '.join(dict.fromkeys(shown))}: {reason}" for reason, shown in reasons.items()]


def components_of(cell: Cell, matrix: Matrix) -> dict[str, tuple[ResolvedComponent, Cell]]:
    """Components of a cell and of the cells that it starts from, by name, with the cell that has each."""
    found = components_of(matrix.cell(cell.base_cell), matrix) if cell.base_cell else {}
    return found | {component.name: (component, cell) for component in cell.components}


def environment_of(cell: Cell, matrix: Matrix) -> dict[str, str]:
    """The environment of a cell's image, as far as the matrix says it: its own over that of its base."""
    return (environment_of(matrix.cell(cell.base_cell), matrix) if cell.base_cell else {}) | cell.runtime_env


def source_of(component: ResolvedComponent, matrix: Matrix) -> SourceSpec:
    """Where a component's sources can be read on this machine, without commits that are picked or reverted."""
    match component.source:
        case Local(folder=folder):
            return Local(folder=str(matrix.folder / folder))
        case Git(repo=repo, ref=ref):
            return Git(repo=repo, ref=ref)
    return component.source


def pairs_of(cell: Cell, matrix: Matrix, given: Mapping[str, SourceSpec]) -> Iterator[Pair]:
    """What may need one another in a cell: its frameworks, and the packages that have rules."""
    from rocmimg.contract.rules import special_packages, switches_of

    placed = {
        component.module: (component, source_of(component, matrix))
        for component, owner in components_of(cell, matrix).values()
        if component.install is not None and component.module and component.source != Nothing()
    }
    environment = environment_of(cell, matrix)
    special = {package: source for package, (_, source) in placed.items() if package in special_packages()}
    sources: dict[str, SourceSpec] = {**special, **given}
    for package, source in sources.items():
        for module, (component, framework) in placed.items():
            if module not in sources and component.recipe.framework:
                pinned = [component] if package in given else [component, placed[package][0]]
                note = "; ".join(filter(None, map(_changed, pinned)))
                switches = switches_of(package, environment)
                yield Pair(framework=framework, package=package, source=source, switches=switches, note=note)


def _changed(component: ResolvedComponent) -> str:
    count = len(component.git.picks) + len(component.git.reverts) if component.git else 0
    commits, are = ("commit", "is") if count == 1 else ("commits", "are")
    return f"{count} {commits} picked or reverted on top of {component.name}'s pin {are} not read" if count else ""


def run_pairs(
    checker: Checker, pairs: Iterable[Pair], baseline: Sequence[Accepted]
) -> tuple[list[Contract], list[NotRead]]:
    """Compare pairs, each once. What cannot be read stops nothing else."""
    contracts: list[Contract] = []
    not_read: list[NotRead] = []
    for pair in dict.fromkeys(pairs):
        try:
            contract = checker.check(
                pair.framework, pair.package, pair.source, switches=pair.switches, baseline=baseline
            )
            contracts.append(replace(contract, notes=(*contract.notes, pair.note)) if pair.note else contract)
        except SourceError as error:
            not_read.append(NotRead(pair=pair, error=error))
    return contracts, not_read


def probes_of(checker: Checker, cell: Cell, matrix: Matrix) -> Iterator[Probe]:
    """What to ask an image of a cell, and the answers that its pins give. Raises SourceError."""
    from rocmimg.contract.probe import needs, static_answers

    for pair in pairs_of(cell, matrix, {}):
        uses = checker.scan(pair.framework, pair.package).uses
        expected = static_answers(uses, checker.package(pair.package, pair.source, pair.switches))
        yield Probe(pair=pair, wanted=needs(uses), expected=expected)


def gate(matrix: Matrix, cells: Iterable[str], baseline: Path | None = None) -> list[str]:
    """The contract as a gate before a build; the answer says what could not be looked at.

    Raises ContractBroken where a framework would fail on import, or a required capability is not there.
    """
    from rocmimg.contract.baseline import read_baseline
    from rocmimg.contract.check import Checker
    from rocmimg.contract.required import missing_of, required_of
    from rocmimg.matrix.mirrors import mirrors_of

    chosen = [matrix.cell(cell) for cell in cells]
    accepted = read_baseline(baseline) if baseline is not None else ()
    with Checker(mirrors=mirrors_of(matrix.cells)) as checker:
        pairs = [pair for cell in chosen for pair in pairs_of(cell, matrix, {})]
        contracts, not_read = run_pairs(checker, pairs, accepted)
        missing, unread = missing_of(checker, [need for cell in chosen for need in required_of(cell, matrix)])
    broken = [f"{f.file}:{f.line}: {f.message} ({c.source})" for c in contracts for f in c.at("error")]
    if broken or missing:
        raise ContractBroken(
            "\n".join([*broken, *map(str, missing)]),
            next_step="`rocmimg contract` shows the releases that fit; --no-contract builds all the same",
        )
    return [*not_run(not_read), *unread]


def repository_of(package: str, matrix: Matrix) -> SourceSpec:
    """The repository that a matrix names for a package. Raises SourceError where it names none."""
    for cell in matrix.cells:
        for component in cell.components:
            if component.module == package and component.git:
                return source_of(component, matrix)
    raise SourceError(
        f"{matrix.path} names no repository for {package!r}", next_step=f"give one: --source {package}=GIT"
    )


def check_pins(
    checker: Checker, cells: Sequence[Cell], matrix: Matrix, *, checkout: bool
) -> tuple[list[dict[str, Any]], list[str]]:
    """Findings about the pins that the contract reads anyway, each with its ``source``, and what could not be read."""
    found: dict[tuple[SourceSpec, str], dict[str, Any]] = {}
    not_read: dict[str, None] = {}
    for cell in cells:
        wanted = {source for pair in pairs_of(cell, matrix, {}) for source in (pair.framework, pair.source)}
        for component, owner in components_of(cell, matrix).values():
            source = source_of(component, matrix)
            if source not in wanted:
                continue
            try:
                for finding in _check(checker, component, source, _base(owner, matrix), checkout=checkout):
                    row = {"component": component.name, "source": str(source)} | asdict(finding)
                    found[source, finding.message] = row
            except SourceError as error:
                not_read[f"not run: pins of {source}: {error}"] = None
    return list(found.values()), list(not_read)


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What the pins of some cells say without a build."""

    contracts: list[Contract]
    missing: list[Required]
    """Required capabilities that are not there."""
    pins: list[dict[str, Any]]
    not_run: list[str]

    @property
    def failed(self) -> bool:
        """Whether something would fail in the image."""
        wrong = any(pin["level"] == "error" for pin in self.pins)
        return bool(self.missing) or wrong or any(contract.at("error") for contract in self.contracts)


def problems_of(found: Examined, cells: Sequence[Cell], matrix: Matrix) -> Iterator[Problem]:
    """What was found, at the lines of images.yaml that pin the sources; warnings and errors only."""
    for cell in cells:
        pinned = {
            str(source_of(component, matrix)): owner.position_of(component.name, "ref")
            for component, owner in components_of(cell, matrix).values()
        }
        pairs = {(str(pair.framework), pair.source_name): str(pair.source) for pair in pairs_of(cell, matrix, {})}
        for contract in found.contracts:
            if (contract.framework, contract.source) not in pairs:
                continue
            for level in ("error", "warning"):
                for finding in contract.at(level):
                    yield Problem(
                        level=level,
                        rule=finding.verdict,
                        message=f"{contract.framework}: {finding.file}:{finding.line}: {finding.message}",
                        position=pinned[pairs[contract.framework, contract.source]],
                        cells=(cell.id,),
                        fix=f"{finding.target}: {finding.window}" if finding.window else "",
                    )
        for pin in found.pins:
            if pin["source"] in pinned:
                yield Problem(
                    level="note" if pin["level"] == "info" else pin["level"],
                    rule=pin["check"],
                    message=pin["message"],
                    position=pinned[pin["source"]],
                    cells=(cell.id,),
                )
    for need in found.missing:
        cell = matrix.cell(need.cell)
        owner = next(
            component
            for component, _ in components_of(cell, matrix).values()
            if need.target in component.config.capabilities
        )
        yield Problem(
            level="error",
            rule="capability",
            message=f"{need.source_name} does not have {need.target}",
            position=cell.position_of(owner.name, "capabilities"),
            cells=(need.cell,),
            fix="`rocmimg contract window` shows the releases that have it",
        )


def examine(
    cells: Sequence[Cell], matrix: Matrix, accepted: Sequence[Accepted], *, parts: Collection[str], online: bool
) -> Examined:
    """``contract`` (with required capabilities) and ``pins`` of cells, as far as they are among ``parts``.

    ``online`` also fetches, and tries clones and checkouts.
    """
    from rocmimg.contract.check import Checker
    from rocmimg.contract.required import missing_of, required_of
    from rocmimg.matrix.mirrors import mirrors_of

    with Checker(refresh=online, mirrors=mirrors_of(matrix.cells)) as checker:
        asked = cells if "contract" in parts else ()
        contracts, unread = run_pairs(checker, [p for cell in asked for p in pairs_of(cell, matrix, {})], accepted)
        missing, unknown = missing_of(checker, [need for cell in asked for need in required_of(cell, matrix)])
        pins, unchecked = check_pins(checker, cells if "pins" in parts else (), matrix, checkout=online)
    skipped = [*not_run(unread), *unknown, *unchecked]
    return Examined(contracts=contracts, missing=missing, pins=pins, not_run=list(dict.fromkeys(skipped)))


def _check(
    checker: Checker, component: ResolvedComponent, source: SourceSpec, base: str, *, checkout: bool
) -> Iterator[PinFinding]:
    from rocmimg.contract import pins
    from rocmimg.contract.stores import GitStore

    store = checker.store(source)
    findings = [
        pins.check_triton_swap(store, component.env),
        pins.check_python(store, base),
        pins.check_cmake(store, component.build_pip.get("cmake", "")),
    ]
    if component.recipe.prebuilt:
        findings.append(pins.check_prebuild(store, way="wheel" if component.install == "wheel" else "build_ext"))
    yield from (finding for finding in findings if finding is not None)
    if checkout and isinstance(store, GitStore):
        yield from pins.check_checkout(store.repository, store.commit)


def _base(cell: Cell, matrix: Matrix) -> str:
    """The image that a cell starts from in the end."""
    return _base(matrix.cell(cell.base_cell), matrix) if cell.base_cell else cell.config.base.image


def names_of(cells: Iterable[Cell], matrix: Matrix) -> dict[str, tuple[Names, ...] | str]:
    """For each cell with a framework what to ask its image, or why that could not be read from the pins."""
    from rocmimg.contract.check import Checker
    from rocmimg.contract.probe import Names
    from rocmimg.matrix.mirrors import mirrors_of

    found: dict[str, tuple[Names, ...] | str] = {}
    chosen = [cell for cell in cells if any(pairs_of(cell, matrix, {}))]
    if not chosen:
        return {}
    with Checker(mirrors=mirrors_of(matrix.cells)) as checker:
        for cell in chosen:
            try:
                found[cell.id] = tuple(
                    Names(package=probe.pair.package, wanted=dict(probe.wanted), expected=dict(probe.expected))
                    for probe in probes_of(checker, cell, matrix)
                )
            except SourceError as error:
                found[cell.id] = str(error)
    return found
