"""One framework compared with its sources, with everything read once and shared between cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Final, Self

from rocmimg.contract.baseline import Accepted, accept
from rocmimg.contract.cache import ParseCache
from rocmimg.contract.framework import Scan, scan
from rocmimg.contract.judge import Tally, judge, outcome
from rocmimg.contract.model import Contract, FileUses, Finding, ModuleFacts, Use
from rocmimg.contract.nearest import Nearest, parameters_of
from rocmimg.contract.rules import Switches, rules_for, with_switches
from rocmimg.contract.source import SourcePackage, Status
from rocmimg.contract.stores import GitStore, Store, history, open_store
from rocmimg.contract.window import History, Window
from rocmimg.source import SourceSpec

_ORDER: Final = {"error": 0, "warning": 1, "unknown": 2, "info": 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability:
    """A name and the releases that have it."""

    target: str
    window: Window
    changes: tuple[tuple[str, str], ...]
    """(tag, parameters from there on) of a function, wherever they differ from the release before."""


class Checker:
    """Stores, scans and parse results of one run. Use as a context manager: leaving it writes the caches."""

    def __init__(self, *, refresh: bool = False, mirrors: Mapping[str, str] | None = None) -> None:
        self._refresh = refresh
        self._mirrors = tuple((mirrors or {}).items())
        self._uses = ParseCache("uses", FileUses)
        self._facts = ParseCache("facts", ModuleFacts)
        self._stores: dict[SourceSpec, Store] = {}
        self._scans: dict[tuple[SourceSpec, str], Scan] = {}
        self._packages: dict[tuple[str, SourceSpec, Switches], SourcePackage] = {}
        self._histories: dict[tuple[str, SourceSpec, Switches], History | None] = {}
        self._windows: dict[tuple[History, Use], Window] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._uses.close()
        self._facts.close()
        for store in self._stores.values():
            if isinstance(store, GitStore):
                store.repository.close()
        for releases in self._histories.values():
            if releases is not None:
                releases.repository.close()

    def store(self, source: SourceSpec) -> Store:
        """The files of a source. Raises SourceError."""
        if source not in self._stores:
            self._stores[source] = open_store(source, refresh=self._refresh, mirrors=self._mirrors)
        return self._stores[source]

    def package(self, package: str, source: SourceSpec, switches: Switches = ()) -> SourcePackage:
        """A package in a source. Raises SourceError."""
        key = (package, source, switches)
        if key not in self._packages:
            self._packages[key] = SourcePackage(self.store(source), rules_for(package), self._facts, switches)
        return self._packages[key]

    def scan(self, framework: SourceSpec, package: str) -> Scan:
        """What a framework uses of a package. Raises SourceError."""
        key = (framework, package)
        if key not in self._scans:
            self._scans[key] = scan(self.store(framework), package, self._uses)
        return self._scans[key]

    def history(self, package: str, source: SourceSpec, switches: Switches = ()) -> History | None:
        """The releases of the repository that a source is in; None where it is not in one."""
        key = (package, source, switches)
        if key not in self._histories:
            git = history(source, self._mirrors)
            if git is not None and self._refresh:
                git.refresh()
            found = History(git, rules_for(package), self._facts, switches) if git is not None else None
            self._histories[key] = found
        return self._histories[key]

    def check(
        self,
        framework: SourceSpec,
        package: str,
        source: SourceSpec,
        *,
        switches: Switches = (),
        baseline: Sequence[Accepted] = (),
        windows: bool = True,
    ) -> Contract:
        """Compare a framework with one source. Raises SourceError where either cannot be read."""
        scanned = self.scan(framework, package)
        provided = self.package(package, source, switches)
        tally = Tally()
        notes: list[str] = []
        found: list[tuple[Finding, Use]] = []
        for path, uses in scanned.uses:
            if uses.error:
                notes.append(f"{path}:{uses.error_line}: does not parse, so it was not read: {uses.error}")
            found += judge(path, uses, provided, tally)
        nearest = Nearest(provided)
        releases = self.history(package, source, switches) if windows else None
        findings = [self._annotated(f, use, nearest, releases) for f, use in found]
        findings.sort(key=lambda f: (_ORDER[f.level], f.file, f.line))
        marked, unused = accept(findings, baseline)
        notes += [f"{entry.position}: accepts nothing: {entry.target}" for entry in unused]
        if windows and releases is None and found:
            notes.append(f"{source} is not a git repository: no windows of releases")
        return Contract(
            framework=self.store(framework).name,
            source=with_switches(provided.store.name, switches),
            package=package,
            files=scanned.files,
            uses=tally.uses,
            targets=len(tally.targets),
            resolved=tally.resolved,
            conditional=tally.conditional,
            unknown=tally.unknown,
            ambiguous=tally.ambiguous,
            dead=tally.dead,
            dependent=tally.dependent,
            calls=tally.calls,
            findings=marked,
            notes=tuple(notes),
        )

    def _annotated(self, finding: Finding, use: Use, nearest: Nearest, releases: History | None) -> Finding:
        if finding.verdict == "unknown":
            return finding
        window = self._window(use, releases) if releases is not None else None
        instead = ""
        if finding.verdict != "bad-argument":
            whole = (use.module, finding.target) if use.module.startswith(finding.target) else (finding.target,)
            is_module = finding.verdict == "missing-module"
            instead = next(filter(None, (nearest.find(name, module=is_module) for name in dict.fromkeys(whole))), "")
        if instead and window is not None and releases is not None and window.having:
            last = releases.source(window.having[-1])
            before = parameters_of(last, finding.target) if last is not None else None
            after = nearest.parameters(instead)
            if before is not None and after is not None and before != after:
                instead += " (with other parameters)"
        return replace(finding, window=str(window) if window is not None else "", nearest=instead)

    def _window(self, use: Use, releases: History) -> Window:
        # The line says nothing about the source: equal needs share one window.
        need = replace(use, line=0, when="lazy", tries=(), handler_of=(), probes=(), scope="", via="")
        key = (releases, need)
        if key not in self._windows:

            def ask(source: SourcePackage) -> Status:
                verdict = outcome(need, source).verdict
                return "resolved" if verdict is None else "unknown" if verdict == "unknown" else "missing-name"

            self._windows[key] = releases.window(ask)
        return self._windows[key]

    def status(self, target: str, source: SourceSpec, switches: Switches = ()) -> Status:
        """Whether a source has a dotted name. Raises SourceError where it cannot be read."""
        package = self.package(target.partition(".")[0], source, switches)
        return package.resolve(target, _module_part(package, target)).status

    def capability(self, target: str, source: SourceSpec, switches: Switches = ()) -> Capability:
        """The releases of a repository that have a dotted name, and where its parameters change.

        Raises SourceError where the source is not in one.
        """
        package = target.partition(".")[0]
        releases = self.history(package, source, switches)
        if releases is None:
            self.package(package, source, switches)
            from rocmimg.errors import SourceError

            raise SourceError(
                f"{source} is not a git repository",
                why="a window needs the releases, and those are tags",
                next_step=f"give the repository: --source {package}=GIT",
            )
        window = releases.window(lambda release: release.resolve(target, _module_part(release, target)).status)
        changes: list[tuple[str, str]] = []
        for tag in window.having:
            release = releases.source(tag)
            parameters = parameters_of(release, target) if release is not None else None
            shown = "(" + ", ".join(_shown(p.name, p.kind, p.required) for p in parameters) + ")" if parameters else ""
            if shown and (not changes or changes[-1][1] != shown):
                changes.append((tag, shown))
        return Capability(target=target, window=window, changes=tuple(changes))


def _module_part(source: SourcePackage, target: str) -> str:
    """The longest part of a target that is a module: the rest are names in it."""
    parts = target.split(".")
    for end in range(len(parts) - 1, 1, -1):
        module = ".".join(parts[:end])
        if source.resolve(module, module).status == "resolved":
            return module
    return ""


def _shown(name: str, kind: str, required: bool) -> str:
    stars = {"args": "*", "kwargs": "**"}.get(kind, "")
    return f"{stars}{name}" if required or stars else f"{name}=…"
