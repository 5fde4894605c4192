"""A first images.yaml, from what a folder has: its Dockerfiles, its Python project, its CI."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rocmimg.matrix.nodes import read_yaml
from rocmimg.matrix.schema import schema

SCHEMA: Final = ".rocmimg/images.schema.json"
CHECKS: Final = "checks"
_DOCKERFILE: Final = re.compile(r"(.*[._-])?(dockerfile|containerfile)([._-][\w.-]*)?", re.IGNORECASE)
_NOT_ONE: Final = frozenset({".dockerignore", ".md", ".py", ".sh", ".j2", ".orig", ".bak"})
_SKIPPED: Final = frozenset({".git", ".venv", "venv", "node_modules", "__pycache__", "build", "dist"})
_DEEPEST: Final = 4
_ROCM: Final = re.compile(r"rocm|\bhip|gfx\d|amdgpu", re.IGNORECASE)
_ARG: Final = re.compile(r"^\s*ARG\s+(\w+)", re.MULTILINE | re.IGNORECASE)
_ONE_ARCH: Final = re.compile(r"(GPU_ARCH|GFX_ARCH|GFX|ROCM_GPU|OFFLOAD_ARCH|GPU_TARGET)", re.IGNORECASE)
_ARCHS: Final = re.compile(
    r"(ARG_)?(PYTORCH_ROCM_ARCH|GPU_ARCHS|GPU_ARCH_LIST|(AMD)?GPU_TARGETS?|ROCM_ARCHS?|CMAKE_HIP_ARCHITECTURES)",
    re.IGNORECASE,
)
_PIPELINES: Final = {"github": ".github/workflows", "gitlab": ".gitlab-ci.yml", "buildkite": ".buildkite"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a folder has."""

    name: str
    """Its project's name, or its own, as a target can be called."""
    package: str
    """The Python project in it; empty where there is none."""
    dockerfiles: tuple[str, ...]
    """Those that speak of ROCm first."""
    archs: tuple[str, ...]
    """GPU architectures that its Dockerfiles name."""
    ci: str
    """github, gitlab or buildkite; empty where it has none of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What the new images.yaml is to say; exactly one of the three origins."""

    name: str
    archs: tuple[str, ...]
    registry: str = ""
    dockerfile: str = ""
    base: str = ""
    prebuilt: str = ""
    package: str = ""


def look(folder: Path) -> Found:
    """What is there, as far as a first look tells."""
    texts = {path.relative_to(folder).as_posix(): _text(path) for path in _dockerfiles(folder, _DEEPEST)}
    ordered = sorted(texts, key=lambda name: (not _ROCM.search(f"{name}\n{texts[name]}"), name.count("/"), name))
    known = read_yaml(Path(__file__).with_name("archs.yaml"), "archs.yaml").children
    named = re.findall(r"gfx[0-9a-f]{3,4}", "\n".join(texts[name] for name in ordered[:1]))
    package = _project(folder / "pyproject.toml")
    return Found(
        name=_slug(package or folder.resolve().name) or "app",
        package=package,
        dockerfiles=tuple(ordered),
        archs=tuple(arch for arch in dict.fromkeys(named) if arch in known),
        ci=next((name for name, place in _PIPELINES.items() if (folder / place).exists()), ""),
    )


def files(start: Start, folder: Path) -> dict[str, str]:
    """Path below the folder -> text of what is to be written."""
    slug = start.name.replace("-", "_").replace(".", "_")
    found = {
        "images.yaml": _matrix(start, folder),
        f"{CHECKS}/check_{slug}.py": _check(start.name),
        SCHEMA: json.dumps(schema(), indent=1) + "\n",
    }
    if not start.prebuilt and not (folder / ".dockerignore").exists():
        found[".dockerignore"] = (
            "# Not sent to a build, and no reason for one.\n.git\n.rocmimg\n.venv\nbuild\nchecks\nimages*.yaml\n"
        )
    return found


def _matrix(start: Start, folder: Path) -> str:
    archs = ", ".join(start.archs)
    lines = [
        f"# yaml-language-server: $schema={SCHEMA}",
        "# What rocmimg builds, proves and promotes here. `rocmimg list` shows the cells, `rocmimg explain` values.",
        "",
        "defaults:",
        *([f"  registry: {start.registry}  # host and namespace"] if start.registry else []),
        f"  image: {start.name}",
        "  version: dev  # for a release: ROCMIMG_VERSION=v1, or --set version=v1",
        '  tags: ["{version}-{alias}"]  # never overwritten; alias is mi30x for gfx942, mi35x for gfx950',
        '  aliases: ["{alias}-latest"]  # moved by `rocmimg promote` and `rocmimg rollback` alone',
        "",
        "targets:",
        f"  {start.name}:",
        f"    gpu_archs: [{archs}]  # one image each; {{both: [gfx942, gfx950]}} is one image for two",
        *_origin(start, folder),
        f"    checks: {{folder: {CHECKS}}}  # your own, beside those that every image gets",
        "    release:",
        "      required_tiers: [image, import, aot, gpu]  # what `promote` wants proven on the very digest",
    ]
    return "\n".join(lines) + "\n"


def _origin(start: Start, folder: Path) -> Iterator[str]:
    if start.dockerfile:
        arguments = _arguments(_text(folder / start.dockerfile))
        yield "    dockerfile:"
        yield f"      path: {start.dockerfile}"
        yield "      context: .  # what COPY takes from here is an input, after .dockerignore"
        if arguments:
            yield "      args:"
            yield from (f'        {name}: "{value}"' for name, value in arguments.items())
        else:
            yield '      # args: {GPU_ARCH: "{arch}"}  # fields: arch, archs, version, target, flags and more'
    elif start.prebuilt:
        yield f"    prebuilt: {start.prebuilt}  # `rocmimg lock` turns a tag into a digest"
    else:
        yield f"    base: {start.base}"
        if start.package:
            yield "    components:"
            yield f"      {_slug(start.package)}:"
            yield "        uses: python  # `rocmimg recipes python` lists its options"
            yield '        source: "local:."'
            return
        yield "    # pip: {einops: 0.8.1}"
    if start.dockerfile or start.prebuilt:
        yield "    # contents: what is inside, for import checks and the contract"
        yield "    #   aiter: {repo: https://github.com/ROCm/aiter.git, ref: v0.1.11.post1, kernels: true}"


def _check(name: str) -> str:
    slug = name.replace(".", "-")
    return f'''"""Checks of {name}: `rocmimg test` runs them beside those that every image gets."""

from rocmimg.checks import check


@check("{slug}-runs", tier="image")
def check_runs(host) -> None:
    """A command of the image runs; say here what its users rely on."""
    assert host.run("true").succeeded
'''


def _arguments(text: str) -> Mapping[str, str]:
    """Build arguments that name the GPU, and what they are to be."""
    found: dict[str, str] = {}
    for name in dict.fromkeys(_ARG.findall(text)):
        if _ARCHS.fullmatch(name):
            found[name] = "{archs}"
        elif _ONE_ARCH.fullmatch(name):
            found[name] = "{arch}"
    return found


def _dockerfiles(folder: Path, depth: int) -> Iterator[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return
    for path in entries:
        if path.is_symlink():
            continue
        if path.is_dir() and depth and path.name not in _SKIPPED:
            yield from _dockerfiles(path, depth - 1)
        elif path.is_file() and _DOCKERFILE.fullmatch(path.name) and path.suffix.lower() not in _NOT_ONE:
            yield path


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _project(path: Path) -> str:
    try:
        project = tomllib.loads(path.read_text(encoding="utf-8")).get("project", {})
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
        return ""
    return str(project.get("name", "")) if isinstance(project, dict) else ""


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
