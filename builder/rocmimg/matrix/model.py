"""The shape of images.yaml: what a cell is made of, key by key, with each key's inheritance rule.

A mapping merges key by key and ``null`` removes an inherited key; a scalar or a list replaces what was inherited,
unless the key is marked to append.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic.config import JsonDict

from rocmimg.terminal import holds_secrets

APPEND: Final[JsonDict] = {"x-inherit": "append"}
REPLACE: Final[JsonDict] = {"x-inherit": "replace"}

ID: Final = r"[a-z0-9]+(?:[._-][a-z0-9]+)*"
_REF: Final = re.compile(r"(?!.*\.\.)(?:[A-Za-z0-9]|\{version\})(?:[A-Za-z0-9._/+-]|\{version\})*")
_URL: Final = re.compile(
    r"(?:(?:https?|ssh|git|file)://[^\s'\"\\$`<>]+|[\w.-]+@[\w.-]+:[^\s'\"\\$`<>]+|/[^\s'\"\\$`<>]*)"
)
_IMAGE: Final = re.compile(
    r"(?:[A-Za-z0-9][A-Za-z0-9.-]*(?::[0-9]+)?/)?[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
    r"(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*(?::[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
)


def _matches(pattern: re.Pattern[str], what: str, *, required: bool = False) -> AfterValidator:
    def check(value: str) -> str:
        if (value or required) and not pattern.fullmatch(value):
            raise ValueError(f"{re.sub('://.*@', '://***@', value)!r} is not {what}")
        return value

    return AfterValidator(check)


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Text = Annotated[str, BeforeValidator(_as_text), WithJsonSchema({"type": ["string", "integer"]})]
NAME: Final = "a name (lower case letters, digits and . _ - between them)"
Name = Annotated[str, _matches(re.compile(ID), NAME)]


def _whole_commit(value: str) -> str:
    if re.fullmatch(r"[0-9a-f]{7,39}", value) and not value.isdigit():
        raise ValueError(f"{value!r} is an abbreviated commit, which no server resolves: write all 40 digits")
    return value


Commit = Annotated[Text, Field(pattern=r"^[0-9a-f]{40}$")]
GitRef = Annotated[Text, _matches(_REF, "a git ref (a branch, a tag or a commit)"), AfterValidator(_whole_commit)]
GitUrl = Annotated[str, _matches(_URL, "a repository's URL")]
_MIRROR: Final = re.compile(rf"{_URL.pattern}|\.{{0,2}}/[^\0\n]*")
Mirror = Annotated[str, _matches(_MIRROR, "a URL or a folder (/srv/mirrors, ./mirrors)", required=True)]


def _no_password(value: str) -> str:
    if holds_secrets(value):
        raise ValueError(
            "a password in a URL would stay in the image's history; write the URL without it, and one with it under "
            "network.git_mirrors, which is mounted only"
        )
    return value


PublicUrl = Annotated[GitUrl, AfterValidator(_no_password)]
ImageRef = Annotated[str, _matches(_IMAGE, "an image reference")]
AbsolutePath = Annotated[str, _matches(re.compile(r"/[\w./+@-]*"), "an absolute path", required=True)]
AptPackage = Annotated[str, _matches(re.compile(r"[a-z0-9][a-z0-9.+:-]*(?:=[\w.+:~-]+)?"), "a Debian package")]
EnvName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
ModuleName = Annotated[str, _matches(re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*"), "a Python module's name")]
Distribution = Annotated[str, _matches(re.compile(r"[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*"), "a Python distribution")]
_FolderInside = Annotated[str, _matches(re.compile(r"\w[\w./+@-]*"), "a folder of the checkout", required=True)]
OptionValue = bool | int | str | tuple[str, ...]


def _specifier(value: str) -> str:
    clause = r"(?:==|<=|>=|<|>|!=|~=)?[A-Za-z0-9][\w.!+*-]*"
    if not re.fullmatch(rf"{clause}(?:,{clause})*", value):
        raise ValueError(f"{value!r} is neither a version nor version bounds such as >=1,<2")
    return value


VersionSpec = Annotated[Text, AfterValidator(_specifier)]


def _iso_date(value: str) -> str:
    date.fromisoformat(value)
    return value


OWN_LABELS: Final = "io.rocmimg."


def _label(value: str) -> str:
    if value.casefold().startswith(OWN_LABELS):
        raise ValueError(f"{value} is written by rocmimg itself, which recognizes images by it; choose another name")
    return value


LabelName = Annotated[str, AfterValidator(_label)]


class Model(BaseModel):
    """Frozen, strict, and closed: an unknown key is an error."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", use_attribute_docstrings=True)


class Rootfs(Model):
    """A base made from Debian's packages instead of a registry's image."""

    suite: Name = "testing"
    """Debian suite, for instance testing or trixie."""
    image: ImageRef = "debian:testing-slim"
    """Taken instead where mmdebstrap is not installed."""
    mirror: str = ""
    """Debian mirror; empty for Debian's own."""
    snapshot: str = ""
    """Snapshot service of Debian's archive (its URL up to /debian); the lock names the moment of it that
    takes the mirror's place."""


class Base(Model):
    """What a cell starts FROM: exactly one of ``image``, ``rootfs`` and ``cell``. A plain string is an image."""

    image: ImageRef = ""
    """An image of a registry, or one that the engine already has."""
    rootfs: Rootfs | None = None
    """Made from Debian's packages on this machine, where no image is to be pulled."""
    cell: str = ""
    """A cell of this matrix: its id, or a target that has a cell for the same arch."""
    apt: tuple[AptPackage, ...] = ()
    """Debian packages that every stage needs."""
    release: Annotated[str, _matches(re.compile(r"[a-z]*"), "a release's name such as noble")] = ""
    """Release of Ubuntu or Debian that ``image`` is made of, where its name does not say so: `check --online` asks its
    archive for the cell's packages."""

    @model_validator(mode="after")
    def _one(self) -> Base:
        if sum(map(bool, (self.image, self.rootfs, self.cell))) != 1:
            raise ValueError("needs exactly one of image, rootfs and cell")
        return self


class Component(Model):
    """Something that is built or installed into the image, by a recipe (templates/components/<recipe>)."""

    uses: Name = ""
    """The recipe; the component's own name when empty."""
    enabled: bool = True
    """False leaves it out, for instance in a variant."""
    repo: PublicUrl = ""
    """URL of its repository, without a password: it stays in the image's history."""
    ref: GitRef = ""
    """Branch, tag or commit of ``repo``. ``{version}`` is the image's version: one value then names both."""
    source: Annotated[
        str,
        _matches(
            re.compile(rf"git|index|local:[^\0]+|component:{ID}"),
            "`git`, `index`, `local:FOLDER` or `component:NAME`",
        ),
    ] = "git"
    """``git`` for repo and ref, ``local:FOLDER`` for a folder beside images.yaml, ``index`` for a package of an index,
    ``component:NAME`` for the source of another component, whatever that is."""
    picks: tuple[Commit, ...] = ()
    """Commits of ``repo`` that are applied on top of ``ref``, in this order."""
    reverts: tuple[Commit, ...] = ()
    """Commits of ``repo`` that are taken back on top of ``ref``, in this order, before ``picks``."""
    gpu_archs: tuple[Name, ...] = ()
    """GPU architectures that it is compiled for; all of the cell when empty."""
    install: Literal["editable", "wheel", ""] = ""
    """How Python packages are installed; empty for the recipe's own way."""
    module: ModuleName = ""
    """The import name; empty for the recipe's."""
    directory: Annotated[str, _matches(re.compile(r"[A-Za-z0-9][\w.-]*"), "a folder's name")] = ""
    """Name of the checkout in the work directory; empty for the recipe's."""
    options: Mapping[str, OptionValue] = {}
    """What the recipe lets one choose."""
    needs: tuple[Name, ...] = ()
    """Components of the cell whose results its build uses, besides those that the recipe says."""
    build_pip: Mapping[Distribution, VersionSpec] = {}
    """Python packages that its build needs: name -> version or bounds; laid over the recipe's own."""
    apt: tuple[AptPackage, ...] = Field(default=(), json_schema_extra=APPEND)
    """Debian packages that the build of this component needs besides the recipe's own."""
    runtime_apt: tuple[AptPackage, ...] = Field(default=(), json_schema_extra=APPEND)
    """Debian packages that it needs in the final image besides the recipe's own."""
    build_env: Mapping[EnvName, Text] = {}
    """Variables of its build, laid over those that the recipe sets: CFLAGS, a switch of its setup.py."""
    submodules: Literal["all", "none", ""] | tuple[_FolderInside, ...] = ""
    """Which of its repository's submodules are fetched: all, none, or the paths of some; empty for the recipe's way."""
    capabilities: tuple[str, ...] = Field(default=(), json_schema_extra=APPEND)
    """Capabilities of this component that the image must have, as dotted names."""


_Path = Annotated[str, _matches(re.compile(r"[^\0\n]+"), "a path", required=True)]
ArgumentName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class DockerfileConfig(Model):
    """A Dockerfile of the project's own, in the place of base and components. A plain string is its path."""

    path: _Path
    """The file, from the folder of images.yaml."""
    context: _Path = "."
    """The build context, from there as well."""
    stage: str = ""
    """The stage that becomes the image; the last one when empty."""
    args: Mapping[ArgumentName, Text] = {}
    """Build arguments. Fields: arch, archs (with ; between them), alias, target, variant, version, the cell's flags by
    name, and {NAME.ref} and {NAME.repo} of what `contents` names."""


class Content(Model):
    """A Python package that an image without recipes has inside: what the contract and the checks go by."""

    module: ModuleName = ""
    """Its import name; its own name when empty."""
    repo: PublicUrl = ""
    """URL of its repository; without one its sources are not read."""
    ref: GitRef = ""
    """Branch, tag or commit of ``repo``; ``{version}`` is the image's version."""
    source: Annotated[str, _matches(re.compile(r"git|local:[^\0]+"), "`git` or `local:FOLDER`")] = "git"
    """``git`` for repo and ref, ``local:FOLDER`` for a folder beside images.yaml."""
    framework: bool = False
    """Whether it uses the others: its calls are compared with their sources."""
    kernels: bool = False
    """Whether its shared objects hold GPU code that must be for the cell's archs."""
    import_needs_gpu: bool = False
    """Whether its import fails on a machine without a GPU."""
    checkout: Annotated[str, _matches(re.compile(r"/[\w./+@-]*"), "an absolute path")] = ""
    """Where its checkout lies in the image, if it does."""
    capabilities: tuple[str, ...] = Field(default=(), json_schema_extra=APPEND)
    """What the image must have of it, as dotted names."""


def _same_end(mirrors: Mapping[str, str]) -> Mapping[str, str]:
    """A prefix that ends with a slash has a mirror that does."""
    return {p: f"{m}/" if p.endswith("/") and not m.endswith("/") else m for p, m in mirrors.items()}


class Network(Model):
    """How a build reaches the world. Nothing of this stays in the image."""

    engine_mode: Literal["default", "host", "none"] = "default"
    """The engine's network for RUN."""
    ca_bundle: str = ""
    """PEM file on this machine, for networks that intercept TLS."""
    http_proxy: GitUrl = ""
    """Proxy for http."""
    https_proxy: GitUrl = ""
    """Proxy for https."""
    no_proxy: Text = ""
    """Hosts that are reached without the proxies, with commas between them."""
    pip_index_url: GitUrl = ""
    """The package index, in place of pip's own; it may hold a password."""
    pip_extra_index_urls: tuple[GitUrl, ...] = ()
    """Indexes that pip looks in as well."""
    apt_mirror: GitUrl = ""
    """Replaces the host of Debian's and Ubuntu's own package sources."""
    git_mirrors: Annotated[Mapping[GitUrl, Mirror], AfterValidator(_same_end)] = {}
    """URL prefix -> what to fetch from instead: another prefix, or a folder of (bare) repositories, absolute or
    relative to images.yaml, which is served to the build on loopback."""


class Cache(Model):
    """What steps keep between builds, outside every image. Nothing of this is an input of the image."""

    namespace: Annotated[str, _matches(re.compile(r"[a-z0-9][a-z0-9_-]{0,62}"), "a name", required=True)] = "default"
    """Who shares the caches: builds that nobody has reviewed must not write to those that a release reads."""
    compiler: Literal["auto", "ccache", "sccache", "none"] = "auto"
    """What keeps compiled code. ``auto`` is ccache, where the base has it or other build packages are installed."""
    size: Annotated[Text, Field(pattern=r"^[1-9][0-9]*[MG]$")] = "20G"
    """What the compiled code of one base and arch may take."""


class Waiver(Model):
    """A failed check that is known and accepted for a while."""

    check: Name
    """Its id: see `rocmimg test --list`."""
    path: str = ""
    """Pattern of the paths in the image that it is for, as a shell reads it; without one, all that the check finds."""
    reason: str = Field(min_length=1)
    """Why the failure is accepted; shown with the result."""
    until: Annotated[str, AfterValidator(_iso_date)]
    """The last day, as YYYY-MM-DD; from the next day on the failure counts again."""


class Checks(Model):
    """What `rocmimg test` expects besides what the rest of the cell says."""

    folder: str = ""
    """Folder beside images.yaml with the project's own checks (check_*.py)."""
    torch: Literal["rocm", "cpu"] = "rocm"
    """Which build of torch belongs into the image, where it has one."""
    max_image_mib: int = Field(default=0, ge=0)
    """Size that the image may have; 0 for no limit."""
    max_layer_mib: int = Field(default=0, ge=0)
    """Size that one layer may have; 0 for no limit."""
    max_hidden_mib: int = Field(default=0, ge=0)
    """How much the layers may hold that a later layer replaces or removes; 0 for no limit."""
    conditions: tuple[Literal["restricted"], ...] = ()
    """Conditions that the image must run under too: `restricted` is an unknown user id on a read-only root."""
    waivers: tuple[Waiver, ...] = Field(default=(), json_schema_extra=APPEND)
    """Failures that are known and accepted, each until a date."""


class Release(Model):
    """What a candidate must have shown before it gets public names, and what becomes of old ones."""

    required_tiers: tuple[Literal["image", "import", "aot", "gpu"], ...] = ("image", "import", "aot", "gpu")
    """Tiers of checks: each must have been run on the candidate's digest, and none may have failed."""
    candidate_repository: ImageRef = ""
    """Repository of the candidates, in the same registry; empty for the image's own."""
    signers: Mapping[str, str] = {}
    """Who is believed: name -> path of a public key (PEM), from the folder of images.yaml. Results, provenance and
    promotions that none of them signed prove nothing. Where nobody is named, nothing has to be signed."""
    keep_candidates: int = Field(default=5, ge=1)
    """So many newest candidates of each cell survive `rocmimg prune`."""
    keep_dated_days: int = Field(default=30, ge=1)
    """So many days a tag that ends in its date (-YYYYMMDD) survives it."""


class Runners(Model):
    """Labels of the machines that an exported pipeline runs on. Fields: arch, target."""

    check: tuple[str, ...] = ("ubuntu-latest",)
    """For what needs no engine: checks before the build, and promotion."""
    build: tuple[str, ...] = ("self-hosted", "docker")
    """Machines with a container engine, which build and check without a GPU."""
    gpu: tuple[str, ...] = ("self-hosted", "{arch}")
    """Machines with a GPU of the cell."""
    gpu_archs: tuple[str, ...] = ()
    """Those of the cell's architectures that there are machines for; all when empty."""


class CellConfig(Model):
    """One cell, after the cascade: defaults, the chain of `extends`, variant, arch, command line."""

    description: str = ""
    """One line about the image; the label org.opencontainers.image.description."""
    base: Base = Field(json_schema_extra=REPLACE)
    flags: Mapping[str, bool | int | str] = {}
    """Build flags; which ones there are is said by the recipes of the target's components."""
    components: Mapping[Name, Component] = {}
    """What is built or installed into the image: name -> how."""
    dockerfile: DockerfileConfig | None = None
    """A Dockerfile of the project's own that the image is built from, in the place of base and components."""
    prebuilt: ImageRef = ""
    """An image that another pipeline builds, in the place of base and components: by digest, or by a tag that the lock
    resolves."""
    contents: Mapping[Name, Content] = {}
    """What an image from `dockerfile` or `prebuilt` has inside: name -> package."""
    env: Mapping[EnvName, Text] = {}
    """Runtime environment of the image."""
    apt: tuple[AptPackage, ...] = Field(default=(), json_schema_extra=APPEND)
    """Debian packages of the final image."""
    common_pip: Mapping[Distribution, VersionSpec] = {}
    """Python packages that every stage has, and the image: name -> version or bounds."""
    pip: Mapping[Distribution, VersionSpec] = {}
    """Python packages of the final image: name -> version or bounds."""
    uninstall: tuple[Distribution, ...] = ()
    """Python distributions of the base that are taken out of it."""
    protect: tuple[Distribution, ...] = ()
    """Python distributions of the base that no later install may replace, for instance torch."""
    python: AbsolutePath | Literal["python3", "python"] = "python3"
    """The image's interpreter."""
    workdir: AbsolutePath = "/workspace"
    """WORKDIR of the image and parent of all checkouts."""
    user: Annotated[str, _matches(re.compile(r"[a-z0-9_][a-z0-9_:-]*"), "a user", required=True)] = "root"
    """USER of the image, as NAME, UID or either with a group."""
    entrypoint: tuple[str, ...] = ()
    """ENTRYPOINT of the image, in exec form."""
    command: tuple[str, ...] = ("/bin/bash",)
    """CMD of the image, in exec form."""
    source_url: PublicUrl = ""
    """Where the image's recipe lives; the label org.opencontainers.image.source."""
    registry: ImageRef = ""
    """Registry host and namespace, put before ``image``."""
    image: ImageRef = "rocmimg"
    """Repository name."""
    version: Text = "dev"
    """What is released: in tags, in a label, and wherever a `ref` is {version}."""
    tags: tuple[str, ...] = ("{version}-{target}-{alias}{variant_suffix}",)
    """Immutable tags. Fields: version, target, arch, alias, variant, variant_suffix."""
    aliases: tuple[str, ...] = ()
    """Moving tags, set by promotion only. Fields as in ``tags``."""
    labels: Mapping[LabelName, Text] = {}
    """Labels of the image besides those that every image has; io.rocmimg.* are not yours to set."""
    network: Network = Network()
    """How the build reaches the world; nothing of it stays in the image."""
    cache: Cache = Cache()
    """What steps keep between builds; nothing of it stays in the image."""
    checks: Checks = Checks()
    """Checks of the image: a project's own, limits, and failures that are accepted."""
    release: Release = Release()
    """What a candidate must have shown before it gets public names."""
    runners: Runners = Runners()
    """Labels of the machines that an exported pipeline runs on."""


class Arch(Model):
    """A GPU architecture as LLVM names it."""

    alias: Name
    """Short name of the product line, for tags."""
    gpus: tuple[str, ...] = ()
    """Product names."""
    wavefront: Literal[32, 64] = 64
    """Threads of a wavefront."""
