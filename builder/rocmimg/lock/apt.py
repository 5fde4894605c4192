"""Whether the release that a cell starts from has the Debian packages that the cell asks for.

mmdebstrap simulates the installation in a root of its own, from the release's archive: nothing but package lists is
downloaded, and nothing on this machine changes. Vendors' archives (`apt.vendor`) are not looked at.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from rocmimg.errors import Position
from rocmimg.matrix.cell import Cell, Matrix
from rocmimg.matrix.model import Network
from rocmimg.matrix.python import release_of
from rocmimg.problem import Problem

_UBUNTU: Final = frozenset({"focal", "jammy", "noble"})
_LIMIT_S: Final = 600
_PLAIN: Final = re.compile(r"(?:[\w.:-]+/)*(?:ubuntu|debian)(?:[:@].*)?")
_ABSENT: Final = re.compile(
    r"^E: (?:Unable to locate package|Package) '?([a-z0-9][\w.+-]*)'?(?: has no|$)", re.MULTILINE
)
_UNMET: Final = re.compile(r"unmet dependencies|held broken packages|Unable to (?:correct|satisfy)")


@dataclass(frozen=True, slots=True, kw_only=True)
class AptList:
    """Debian packages that one installation names."""

    cell: str
    what: str
    packages: tuple[str, ...]
    position: Position
    release: str
    plain: bool
    """Whether the base is a distribution's own image: then nothing else can have the packages."""
    network: Network


@dataclass(frozen=True, slots=True)
class _Answer:
    absent: frozenset[str]
    """Packages that the release does not have."""
    unmet: str
    """What cannot be installed together, as apt says it."""
    not_run: str


def check_apt(matrix: Matrix, cells: Iterable[Cell]) -> tuple[list[Problem], list[str]]:
    """What the releases of these cells' bases do not have, and what could not be looked at."""
    by_release: dict[tuple[str, str], list[AptList]] = {}
    not_run: dict[str, None] = {}
    for cell in cells:
        for one in _lists(cell, matrix):
            if one.release:
                by_release.setdefault((one.release, one.network.apt_mirror), []).append(one)
            else:
                why = "the base's name says no release; set base.release"
                not_run[f"not run: Debian packages of {cell.id}: {why}"] = None
    problems: list[Problem] = []
    for (release, _), lists in by_release.items():
        # One installation of everything answers for each list, unless it fails as a whole.
        whole = _together(release, {p for one in lists for p in one.packages}, lists[0].network)
        if whole.not_run:
            names = ", ".join(dict.fromkeys(one.cell for one in lists))
            not_run[f"not run: Debian packages of {names}: {whole.not_run}"] = None
            continue
        answers: dict[tuple[str, ...], _Answer] = {}
        for one in lists:
            rest = tuple(p for p in one.packages if p not in whole.absent)
            if rest and whole.unmet and rest not in answers:
                answers[rest] = _simulate(release, rest, one.network)
            problems += _problems(one, whole.absent, answers.get(rest))
    return problems, list(not_run)


def _lists(cell: Cell, matrix: Matrix) -> Iterator[AptList]:
    if not cell.has_recipes:
        return
    first = cell
    while first.base_cell:
        first = matrix.cell(first.base_cell)
    base = first.config.base
    release = base.rootfs.suite if base.rootfs else base.release or release_of(base.image)
    plain = base.rootfs is not None or _PLAIN.fullmatch(base.image) is not None

    def found(what: str, packages: Sequence[str], position: Position) -> Iterator[AptList]:
        names = tuple(dict.fromkeys(package.partition("=")[0] for package in packages))
        if names:
            yield AptList(
                cell=cell.id, what=what, packages=names, position=position, release=release, plain=plain,
                network=cell.config.network,
            )  # fmt: skip

    yield from found("the base stage", cell.config.base.apt, cell.position("base", "apt"))
    yield from found("the image", cell.config.apt, cell.position("apt"))
    for one in cell.components:
        yield from found(f"{one.name}'s build", one.build_apt, cell.position_of(one.name))
        runtime = (*one.recipe.apt.runtime, *one.config.runtime_apt)
        yield from found(f"{one.name} in the image", runtime, cell.position_of(one.name))


def _problems(one: AptList, absent: frozenset[str], own: _Answer | None) -> Iterator[Problem]:
    missing = sorted(absent & set(one.packages))
    said = [f"{one.release} has no {', '.join(missing)}"] if missing else []
    said += [f"what it wants cannot be installed together on {one.release}: {own.unmet}"] if own and own.unmet else []
    for text in said:
        yield Problem(
            level="error" if one.plain else "warning",
            rule="apt-packages",
            message=f"{one.what}: {text}",
            position=one.position,
            cells=(one.cell,),
            fix="" if one.plain else "Right all the same where the base has another archive that brings it.",
        )


def _together(release: str, packages: set[str], network: Network) -> _Answer:
    """What is absent of all packages, and whether the others fit together."""
    first = _simulate(release, sorted(packages), network)
    if not first.absent or first.absent >= packages:
        return first
    rest = _together(release, packages - first.absent, network)
    return _Answer(first.absent | rest.absent, rest.unmet, rest.not_run)


def _simulate(release: str, packages: Sequence[str], network: Network) -> _Answer:
    none = frozenset[str]()
    if not shutil.which("mmdebstrap"):
        return _Answer(none, "", "mmdebstrap is not installed; it simulates them")
    ubuntu = release in _UBUNTU
    command = ["mmdebstrap", "--simulate", "--variant=apt", "--architectures=amd64"]
    command += ["--components=main,universe,restricted,multiverse" if ubuntu else "--components=main"]
    command += [f"--aptopt={option}" for option in ('Acquire::Retries "2"', 'Acquire::http::Timeout "20"')]
    command += [*(f"--include={package}" for package in packages), release, "/dev/null"]
    if network.apt_mirror:
        command.append(f"{network.apt_mirror.rstrip('/')}/{'ubuntu' if ubuntu else 'debian'}")
    proxies = {name: str(getattr(network, name)) for name in ("http_proxy", "https_proxy", "no_proxy")}
    env = os.environ | {"LC_ALL": "C"} | {name: value for name, value in proxies.items() if value}
    try:
        done = subprocess.run(
            command, env=env, capture_output=True, text=True, errors="replace", timeout=_LIMIT_S, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return _Answer(none, "", f"mmdebstrap: {error}")
    return _read(done.returncode, done.stderr, packages)


def _read(code: int, said: str, packages: Sequence[str]) -> _Answer:
    """What mmdebstrap's messages mean. apt names every package that it does not find, or what does not fit together."""
    none = frozenset[str]()
    if code == 0:
        return _Answer(none, "", "")
    if "NO_PUBKEY" in said:
        return _Answer(
            none, "", "the keyring of the archive is not installed here (ubuntu-keyring, debian-archive-keyring)"
        )
    absent = frozenset(_ABSENT.findall(said)) & set(packages)
    if absent:
        return _Answer(absent, "", "")
    if _UNMET.search(said):
        lines = [line.strip() for line in said.splitlines() if re.match(r" \S+ : |\s+Depends: |\s+Conflicts: ", line)]
        return _Answer(none, "; ".join(lines[:3]) or "unmet dependencies", "")
    errors = [line for line in said.splitlines() if line.startswith("E:")]
    return _Answer(none, "", errors[0] if errors else f"mmdebstrap ended with {code}")
