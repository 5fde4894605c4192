"""pip: what is installed, under which constraints."""

from __future__ import annotations

import os
from argparse import Namespace
from pathlib import Path

import dists
from call import Arguments, Call, Refused
from dists import NEWEST, Requirement

_SUFFIXES = (".whl", ".tar.gz", ".zip")


def pip(call: Call, args: list[str] | None = None) -> None:
    call.tool = "pip"
    if "pip" not in dists.installed():
        raise Refused("No module named pip", 1)
    verb, *rest = (call.args if args is None else args) or [""]
    if verb == "--version":
        call.print("pip 0 (trace)")
        return
    if verb not in _VERBS:
        raise Refused(f"ERROR: unknown command {verb!r}")
    call.facts["verb"] = verb
    _VERBS[verb](call, rest)


def _options(name: str) -> Arguments:
    options = Arguments(name).flags(
        "--upgrade|-U", "--no-deps", "--no-cache-dir", "--no-build-isolation", "--use-pep517", "--no-index",
        "--force-reinstall", "--ignore-installed", "--quiet|-q",
    )  # fmt: skip
    return options.values(
        "--requirement|-r", "--constraint|-c", "--editable|-e", "--config-settings|-C", "--index-url|-i",
        "--extra-index-url", "--find-links|-f", "--only-binary", "--no-binary", "--wheel-dir|-w", "--dest|-d",
    ).words("words")  # fmt: skip


def _constraints(said: Namespace) -> tuple[list[str], dict[str, str]]:
    """The files that bind this call, and the pins in them."""
    files = [*os.environ.get("PIP_CONSTRAINT", "").split(), *said.constraint]
    pins = {}
    for file in files:
        for line in dists.requirements(file):
            wanted = dists.requirement(line)
            if wanted.pin:
                pins[wanted.name] = wanted.pin
    return files, pins


def _wanted(said: Namespace) -> list[str]:
    lines = [*said.words]
    for file in said.requirement:
        lines += dists.requirements(file)
    return lines


def _is_path(word: str) -> bool:
    if " @ " in word:
        return False
    bare = word.partition("[")[0]
    return bare.endswith(_SUFFIXES) or "/" in bare or bare in (".", "..")


def _install(call: Call, args: list[str]) -> None:
    said = call.parse(_options("pip install"), args)
    files, pins = _constraints(said)
    wanted = _wanted(said)
    if not wanted and not said.editable:
        raise Refused("ERROR: You must give at least one requirement to install", 1)
    call.facts |= {
        "constraints": files,
        "requirements": wanted,
        "editable": said.editable,
        "config_settings": said.config_settings,
        "no_deps": said.no_deps,
        "no_index": said.no_index,
        "upgrade": said.upgrade,
    }
    for word in said.editable:
        project = dists.project(Path(word.partition("[")[0]))
        call.stands_for("pyproject.toml", project.folder)
        project.install_editable(compat="editable_mode=compat" in said.config_settings)
        wanted = [*wanted, *_extras(project, word)]
    for word in wanted:
        if _is_path(word):
            _install_path(call, Path(word.partition("[")[0]))
        else:
            _install_named(dists.requirement(word), pins, fresh=said.upgrade or said.force_reinstall)


def _extras(project: dists.Project, word: str) -> list[str]:
    wanted = []
    for extra in filter(None, word.partition("[")[2].rstrip("]").split(",")):
        if extra not in project.extras:
            raise Refused(f"{project.name} has no extra {extra!r}", 1)
        wanted += project.extras[extra]
    return wanted


def _install_path(call: Call, path: Path) -> None:
    if not path.exists():
        raise Refused(f"ERROR: {path} does not exist", 1)
    if path.suffix == ".whl":
        dists.install_wheel(path)
    else:
        call.stands_for("pyproject.toml", path)
        dists.project(path).install()


def _install_named(wanted: Requirement, pins: dict[str, str], *, fresh: bool) -> None:
    bound = pins.get(wanted.name, "")
    if wanted.pin and bound and wanted.pin != bound:
        raise Refused(f"ERROR: Cannot install {wanted.name}=={wanted.pin}: the constraint says {bound}", 1)
    present = dists.installed().get(wanted.name, "")
    version = wanted.pin or bound or (NEWEST if fresh or not present or wanted.url else present)
    if version != present or fresh:
        dists.install(wanted.name, version)


def _wheel(call: Call, args: list[str]) -> None:
    said = call.parse(_options("pip wheel"), args)
    files, pins = _constraints(said)
    wanted = _wanted(said)
    to = Path((said.wheel_dir or said.dest or ["."])[-1])
    for word in wanted:
        if _is_path(word):
            call.stands_for("pyproject.toml", Path(word))
            dists.project(Path(word)).wheel(to)
        else:
            one = dists.requirement(word)
            dists.write_wheel(to, one.name, one.pin or pins.get(one.name, "") or NEWEST, {})
    if not wanted:
        raise Refused("ERROR: You must give at least one requirement", 1)
    call.facts |= {"constraints": files, "requirements": wanted, "no_deps": said.no_deps, "no_index": said.no_index}


def _uninstall(call: Call, args: list[str]) -> None:
    said = call.parse(Arguments("pip uninstall").flags("--yes|-y", "--quiet|-q").words("names", "+"), args)
    if not said.yes:
        raise Refused("ERROR: pip would ask", 1)
    for name in said.names:
        dists.uninstall(dists.requirement(name).name)
    call.facts["requirements"] = said.names


def _list(call: Call, args: list[str]) -> None:
    call.parse(Arguments("pip list").flags("--quiet|-q").values("--format"), args)
    call.print("\n".join(f"{name}=={version}" for name, version in dists.installed().items()))


_VERBS = {
    "download": _wheel,
    "install": _install,
    "list": _list,
    "uninstall": _uninstall,
    "wheel": _wheel,
}
