"""cmake, make, ninja and autotools: a project is configured before it is built, built before it is installed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import dists
from call import Arguments, Call, Refused, checkout_of, data, must_exist, provide, write

STATE = "trace-build.json"


def _configure(call: Call, source: Path, build: Path, prefix: str, files: tuple[str, ...]) -> None:
    checkout = checkout_of(source.resolve())
    project = checkout["url"].removesuffix(".git").rpartition("/")[2] if checkout else source.resolve().name
    build.mkdir(parents=True, exist_ok=True)
    (build / STATE).write_text(json.dumps({"project": project, "prefix": prefix}))
    for file in files:
        (build / file).write_text("trace\n")
    call.facts |= {"source": str(source.resolve()), "prefix": prefix, "project": project}


def _build(call: Call, folder: Path, targets: list[str]) -> None:
    state = json.loads(must_exist(folder / STATE, "no configured build:").read_text())
    call.facts |= {"project": state["project"], "targets": targets}
    call.facts["not_executed"] = [f"makefiles of {state['project']}"]
    if "install" in targets:
        _install(state["project"], state["prefix"])


def _install(project: str, prefix: str) -> None:
    listed = data("installs")
    if project not in listed:
        raise Refused(f"installs.json does not say what {project} installs")
    root = Path(os.environ.get("DESTDIR") or "/")
    for name in listed[project]:
        target = Path(prefix, name.replace("@site", str(dists.SITE)))
        write({str(target): "@" if target.parent.name == "bin" else ""}, root)


def cmake(call: Call) -> None:
    if call.args == ["--version"]:
        call.print("cmake version 0 (trace)")
        return
    if call.args[:1] == ["--build"]:
        options = Arguments("cmake --build").flags("--verbose|-v").values("--target|-t", "--config")
        options.add_argument("--parallel", "-j", nargs="?", action="append")
        said = call.parse(options.words("folder", 1), call.args[1:])
        _build(call, Path(said.folder[0]), said.target)
        return
    if call.args[:1] == ["--install"]:
        said = call.parse(
            Arguments("cmake --install").flags("--strip").values("--prefix").words("folder", 1), call.args[1:]
        )
        _build(call, Path(said.folder[0]), ["install"])
        return
    options = Arguments("cmake").values("-S", "-B", "-G", "-D").flags("-Wno-dev")
    said = call.parse(options.words("source", "?"))
    defines = dict(define.partition("=")[::2] for define in said.D)
    source = Path(said.S[-1] if said.S else said.source or ".")
    must_exist(source / "CMakeLists.txt", "CMake Error: the source")
    call.facts["defines"] = defines
    call.stands_for("CMakeLists.txt", source)
    build = Path(said.B[-1] if said.B else ".")
    _configure(call, source, build, defines.get("CMAKE_INSTALL_PREFIX", "/usr/local"), ("CMakeCache.txt", "Makefile"))


def make(call: Call) -> None:
    options = Arguments(call.name).values("-C").flags("-s", "-k", "-v")
    options.add_argument("-j", nargs="?", type=int, action="append")
    said = call.parse(options.words("targets"))
    defines = [word for word in said.targets if "=" in word]
    call.facts["defines"] = defines
    _build(call, Path(said.C[-1] if said.C else "."), [word for word in said.targets if "=" not in word])


def configure(call: Call) -> None:
    prefix = "/usr/local"
    for arg in call.args:
        if not arg.startswith("--"):
            raise Refused(f"error: {arg!r} is no option")
        if arg.startswith("--prefix="):
            prefix = arg.partition("=")[2]
    call.stands_for("configure", Path(call.path).parent)
    _configure(call, Path(call.path).parent, Path.cwd(), prefix, ("Makefile",))


def autogen(call: Call) -> None:
    if call.args:
        raise Refused(f"arguments {call.args}")
    for tool in ("autoreconf", "libtoolize"):
        must_exist(f"/usr/bin/{tool}", "autogen needs")
    call.stands_for("autogen.sh", Path(call.path).parent)
    provide("configure", folder=str(Path(call.path).parent))
