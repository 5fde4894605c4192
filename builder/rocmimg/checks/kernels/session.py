"""What checks know of the kernels of one image: compiled once, run once, whoever asks first."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from functools import cache, cached_property, partial
from typing import TYPE_CHECKING, Final

from rocmimg.checks.api import not_applicable
from rocmimg.checks.backend import outcome
from rocmimg.checks.job import KERNELS
from rocmimg.checks.kernels import compile as compilers
from rocmimg.checks.kernels.diagnostics import collect
from rocmimg.checks.kernels.pack import write_pack
from rocmimg.checks.kernels.runner import KernelResult, KernelRunner
from rocmimg.engine.context import ContextFile

if TYPE_CHECKING:
    from rocmimg.checks.api import Image
    from rocmimg.checks.kernels.examine import Attempt
    from rocmimg.checks.kernels.pack import Language
    from rocmimg.engine import ExecResult

PACK: Final = f"{compilers.FOLDER}/pack"
RUN_LIMIT_S: Final = 2400.0
"""For a script as a whole; each kernel has its own limit inside it."""
_TOOL_LIMIT_S: Final = 15.0


class KernelSession:
    """The kernels of the image under test."""

    def __init__(self, image: Image) -> None:
        self._image = image
        self._python = image.expect.python
        compilers.prepare(image.container)

    @cached_property
    def attempts(self) -> list[Attempt]:
        """Every kernel, compiled by every compiler for every architecture of the cell; the pack is written by the way.

        Raises:
            EngineError: the engine fails.
            OSError: the folder for the pack cannot be written.
        """
        archs, container = self._image.expect.archs, self._image.container
        found = [
            *compilers.compile_hip(container, archs),
            *compilers.compile_triton(container, archs, self._python),
        ]
        kernels = [attempt.compiled for attempt in found if attempt.compiled]
        write_pack(
            self._image.folder / KERNELS,
            kernels,
            seed=secrets.randbits(32),
            cell=self._image.expect.cell,
            image=str(self._image.detail.get("id", "")),
        )
        return found

    def of(self, language: Language, name: str) -> list[Attempt]:
        """The attempts at one kernel, one an architecture."""
        return [one for one in self.attempts if one.language == language and one.case.name == name]

    @cached_property
    def packed(self) -> dict[str, KernelResult]:
        """Results of the pack's kernels for the leased GPU, run inside the image."""
        if self._image.gpu is None:
            return {}
        arch = self._image.gpu.arch
        ids = [one.compiled.id for one in self.attempts if one.compiled and one.arch == arch]
        folder = self._image.folder / KERNELS
        self._image.container.put(
            compilers.FOLDER, [ContextFile(path=f"pack/{file.name}", data=file) for file in sorted(folder.iterdir())]
        )
        driver = KernelRunner(execute=self._execute, argv=[self._python, compilers.INSIDE, "run_pack", PACK], ids=ids)
        return {result.id: result for result in driver.results()}

    @cached_property
    def probed(self) -> dict[str, KernelResult]:
        """Results of gpu_probe.py, run inside the image."""
        from rocmimg.checks.kernels.inside.gpu_probe import CHECKS

        gpu = self._image.gpu
        if gpu is None:
            return {}
        if hung := next((result for result in self.packed.values() if result.hung), None):
            why = f"{hung.id} hung on the GPU before it"
            return {name: KernelResult(id=name, status="not-run", reason=why) for name in CHECKS}
        argv = [self._python, compilers.INSIDE, "gpu_probe", "--arch", gpu.arch]
        driver = KernelRunner(execute=self._execute, argv=argv, ids=list(CHECKS))
        return {result.id: result for result in driver.results()}

    @cached_property
    def evidence(self) -> dict[str, str]:
        """What the machine says after a hang or a crash."""
        return collect(partial(self._run, timeout=_TOOL_LIMIT_S))

    def _execute(self, argv: Sequence[str]) -> ExecResult:
        return self._run(argv, timeout=RUN_LIMIT_S)

    def _run(self, argv: Sequence[str], timeout: float) -> ExecResult:
        return outcome(self._image.host(timeout=timeout, output_limit=compilers.OUTPUT_LIMIT), argv)


@cache
def session_of(image: Image) -> KernelSession:
    """The one proof of an image in this process; the running check is not applicable where nobody compiles there."""
    if image.probe.kind == "no-python":
        not_applicable("there is no Python in the image, and so nothing that compiles kernels there")
    return KernelSession(image)
