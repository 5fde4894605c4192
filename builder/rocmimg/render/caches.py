"""Cache mounts of the steps: git objects, packages, compiled code.

A cache changes how long a step takes and not its result, so no image has it as an input: the plan is made of the text
without mounts, and the build adds them. Every cache has the namespace in its name, and what decides whether its content
fits: compiled code and wheels are shared only where base, archs and the stages before are the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from rocmimg.render.quoting import Quoted, word

if TYPE_CHECKING:
    from rocmimg.matrix.cell import Cell
    from rocmimg.render.dockerfile import Rendered

FOLDER: Final = "/run/rocmimg"
"""Below it a step finds its caches."""
PREFIX: Final = "rocmimg"
"""What the names of all cache mounts begin with."""
COMPILERS: Final = "compilers.sh"
"""The program of ``templates/files`` that puts the compiler cache in front of the compilers."""
STORE: Final = "rocmimg.sccache"
"""Id of the secret that names sccache's store on the network: lines of a shell, ``export NAME=VALUE``."""
_UNCACHED_PIP: Final = "--no-cache-dir"

Tool = Literal["ccache", "sccache"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A RUN with its caches, for templates."""

    mounts: tuple[Quoted, ...]
    """Values of ``--mount``."""
    body: Quoted
    """The commands."""
    compilers: Quoted | None
    """Arguments of the program that prepares the compilers; None where the step compiles nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageCaches:
    """The caches as the steps of one stage see them."""

    stage: str
    caches: Caches

    @property
    def tool(self) -> Tool | None:
        """The compiler cache."""
        return self.caches.tool

    @property
    def apt(self) -> Quoted:
        """Options of apt-get that make it keep what it downloads, outside the layer."""
        return Quoted(f"-o Dir::Cache={FOLDER}/apt -o Dir::State::lists={FOLDER}/apt/lists")

    def step(self, body: str, network: bool, git: bool, apt: bool, compiles: bool) -> Step:
        """The mounts and the commands of a RUN: pip's packages are kept wherever it may download some."""
        caches, mounts = self.caches, []
        if git:
            mounts.append(caches.mount("git", "git"))
        if apt:
            mounts.append(caches.mount("apt", "apt", caches.base, locked=True))
        if network and _UNCACHED_PIP in body:
            body = body.replace(_UNCACHED_PIP, f"--cache-dir {FOLDER}/pip")
            mounts.append(caches.mount("pip", "pip"))
            mounts.append(caches.mount("wheels", "pip/wheels", caches.environments.get(self.stage, caches.base)))
        compilers = None
        if compiles and caches.tool:
            mounts.append(caches.mount(caches.tool, caches.tool, caches.arch, caches.compiled))
            mounts.append(Quoted(f"type=tmpfs,target={FOLDER}/compilers"))
            compilers = Quoted(f"{caches.tool} {word(caches.size)}")
            if caches.store and caches.tool == "sccache":
                mounts.append(Quoted(f"type=secret,id={STORE},target={FOLDER}/store"))
                compilers = Quoted(f"{compilers} {caches.name(caches.tool, caches.arch, caches.compiled)}")
        return Step(mounts=tuple(mounts), body=Quoted(body.strip()), compilers=compilers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caches:
    """The caches of one cell."""

    namespace: str
    tool: Tool | None
    installs: bool
    """Whether the compiler cache is installed for it alone, where no other package is."""
    size: str
    base: str
    """What stands for the base image in names."""
    arch: str
    """The cell's name of its architectures."""
    compiled: str
    """What stands for base and architectures in names."""
    store: bool
    """Whether sccache is told of a store on the network."""
    environments: Mapping[str, str]
    """Stage -> what stands for all that a wheel is compiled against there."""

    def of(self, stage: str) -> StageCaches:
        """As the steps of a stage see them."""
        return StageCaches(stage=stage, caches=self)

    def name(self, kind: str, *fits: str) -> Quoted:
        """What one cache is called."""
        return word(".".join((PREFIX, self.namespace, kind, *fits)))

    def mount(self, kind: str, folder: str, *fits: str, locked: bool = False) -> Quoted:
        """The value of ``--mount`` for one cache."""
        return Quoted(
            f"type=cache,id={self.name(kind, *fits)},target={FOLDER}/{folder}{',sharing=locked' if locked else ''}"
        )


def caches_of(cell: Cell, rendered: Rendered, *, store: bool = False) -> Caches:
    """The caches for the steps of ``rendered``, a cell's Dockerfile without them; ``store`` says whether the build has
    the secret that names a store on the network."""
    config = cell.config.cache
    tool: Tool | None
    match config.compiler:
        case "none":
            tool = None
        case "auto":
            tool = "ccache"
        case chosen:
            tool = chosen
    texts = {stage.name: stage.text for stage in rendered.stages}
    own = {
        one.name: (one.build_apt, dict(one.build_pip), dict(one.options), dict(one.config.build_env))
        for one in cell.components
    }
    base = [rendered.base, *([texts["base"]] if rendered.base == "scratch" else [])]
    return Caches(
        namespace=config.namespace,
        tool=tool,
        installs=config.compiler in ("ccache", "sccache"),
        size=config.size,
        store=store,
        base=_short(base),
        arch=cell.arch,
        compiled=_short([*base, *cell.archs]),
        environments={
            stage.name: _short(
                [
                    rendered.base,
                    *cell.archs,
                    f"{stage.name} {own.get(stage.name, '')}",
                    *(texts[used] for used in dict.fromkeys(("base", *stage.uses))),
                ]
            )
            for stage in rendered.stages
        },
    )


def _short(parts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]
