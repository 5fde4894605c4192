"""What a release wants of each cell: from the file and the suite of today, never from a single run's settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from rocmimg.checks.model import TIERS, CheckInfo, Tier, Waiver
from rocmimg.release.gate import Demand
from rocmimg.release.signing import Trust

if TYPE_CHECKING:
    from rocmimg.matrix import Cell, Matrix


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Of one cell."""

    cell: str
    archs: tuple[str, ...]
    tiers: tuple[Tier, ...]
    suite: Sequence[CheckInfo]
    waivers: tuple[Waiver, ...]
    trust: Trust
    today: date
    prebuilt: bool = False
    """Whether images.yaml names the image itself, by digest: then nothing has to say which plan made it."""

    def demand(self, plan: str) -> Demand:
        """For an image that was built from ``plan``."""
        return Demand(
            cell=self.cell,
            plan=plan,
            archs=self.archs,
            tiers=self.tiers,
            suite=self.suite,
            waivers=self.waivers,
            today=self.today,
        )


def policies(matrix: Matrix, cells: Sequence[str], *, suite: bool = True) -> dict[str, Policy]:
    """The policy of each cell; without ``suite`` it names no checks, which takes a second less.

    Waivers and signers are those of the file: ``--set`` and ROCMIMG_SET do not change them. Required tiers can be added
    for a run; one that is left out for a run still needs its proof, or an override with a reason.

    Raises:
        ConfigError: the file, a key or a check cannot be read.
    """
    from rocmimg.checks.suites import listed, own_folder

    declared = _declared(matrix)
    today = datetime.now(UTC).date()
    suites: dict[str, list[CheckInfo]] = {}
    found = {}
    for cell_id in cells:
        cell = matrix.cell(cell_id)
        file = declared.get(cell_id, cell)
        folder = own_folder(file, matrix.folder) if suite else None
        if suite and str(folder) not in suites:
            suites[str(folder)] = listed(folder)
        wanted = {*file.config.release.required_tiers, *cell.config.release.required_tiers}
        found[cell_id] = Policy(
            cell=cell_id,
            archs=cell.archs,
            tiers=tuple(tier for tier in TIERS if tier in wanted),
            suite=suites.get(str(folder), ()),
            waivers=tuple(
                Waiver(check=one.check, reason=one.reason, until=one.until, path=one.path)
                for one in file.config.checks.waivers
            ),
            trust=Trust.load(file.config.release.signers, matrix.folder),
            today=today,
            prebuilt=bool(cell.prebuilt),
        )
    return found


def trusts(matrix: Matrix, cells: Sequence[str]) -> dict[str, Trust]:
    """Who is believed, by cell: as the file says, whatever ``--set`` does.

    Raises:
        ConfigError: the file or a key cannot be read.
    """
    declared = _declared(matrix)
    return {
        cell: Trust.load(declared.get(cell, matrix.cell(cell)).config.release.signers, matrix.folder) for cell in cells
    }


def _declared(matrix: Matrix) -> dict[str, Cell]:
    from rocmimg.matrix import load

    return {cell.id: cell for cell in load(matrix.path).cells}
