"""python3: inline scripts and files run for real; pip, venv and setup.py are recorded."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import dists
import pip
from call import ROOT, STEP_OUTPUT, Arguments, Call, Refused, must_exist, provide

_PLAIN = frozenset({"-u", "-I", "-s", "-S", "-E", "-P", "-B"})
_COMMANDS = frozenset(
    {"bdist_wheel", "build", "build_ext", "build_py", "build_rust", "clean", "develop", "egg_info", "install"}
)


def python(call: Call) -> None:
    args = list(call.args)
    flags = []
    while args and (args[0] in _PLAIN or args[0].startswith("-W")):
        flags.append(args.pop(0))
    if args[:1] == ["-m"] and len(args) > 1:
        module, *rest = args[1:]
        if module not in _MODULES:
            raise Refused(f"-m {module} has no recorder")
        _MODULES[module](call, rest)
    elif args[:1] == ["--version"] or args[:1] == ["-V"]:
        call.print("Python 3 (trace)")
    elif args and Path(args[0]).name.startswith("setup") and args[0].endswith(".py"):
        _setup(call, Path(args[0]), args[1:])
    elif args and (args[0] in ("-c", "-") or args[0].endswith(".py")):
        call.facts["script"] = args[1] if args[0] == "-c" and len(args) > 1 else args[0]
        _real(call, [*flags, *args])
    else:
        raise Refused(f"{args[:1]} has no recorder")


def _real(call: Call, args: list[str]) -> None:
    call.tool = "python"
    call.facts["printed"] = True
    done = subprocess.run([ROOT / "python3", *args], pass_fds=(STEP_OUTPUT,), check=False)
    if done.returncode:
        raise Refused("the script failed", done.returncode)


def _setup(call: Call, script: Path, args: list[str]) -> None:
    call.tool = "setup.py"
    must_exist(script, "can't open file")
    options = Arguments(f"{script}").flags("--inplace|-i", "--no-deps", "--quiet|-q", "--verbose|-v", "--debug")
    said = call.parse(
        options.values("--dist-dir|-d", "--bdist-dir", "--plat-name|-p", "--parallel|-j").words("words"), args
    )
    if unknown := [word for word in said.words if word not in _COMMANDS]:
        raise Refused(f"error: invalid command {unknown[0]!r}", 1)
    if not said.words:
        raise Refused("error: no commands supplied", 1)
    call.facts |= {"commands": said.words, "inplace": said.inplace}
    call.stands_for(script.name, script.resolve().parent)
    if "build_rust" in said.words and not shutil.which("cargo"):
        raise Refused("error: cargo is not there", 1)
    project = dists.project(script.resolve().parent)
    if "bdist_wheel" in said.words:
        project.wheel(Path(said.dist_dir[-1] if said.dist_dir else "dist"))
    if "install" in said.words:
        project.install()
    if "develop" in said.words:
        project.install_editable(compat=True)


def _venv(call: Call, args: list[str]) -> None:
    call.tool = "venv"
    options = Arguments("venv").flags(
        "--system-site-packages", "--without-pip", "--upgrade-deps", "--copies", "--clear"
    )
    said = call.parse(options.words("folder", 1), args)
    must_exist("/usr/lib/python3/ensurepip", "the ensurepip module of python3-venv,")
    folder = Path(said.folder[0])
    provide("python", "python3", "pip", "pip3", folder=str(folder / "bin"))
    dists.install("pip", "24.0")
    version = (ROOT / "python-version").read_text()
    site = folder / f"lib/python{version}/site-packages"
    site.parent.mkdir(parents=True, exist_ok=True)
    site.symlink_to(dists.SITE)


def _zipfile(call: Call, args: list[str]) -> None:
    _real(call, ["-m", "zipfile", *args])


_MODULES = {"pip": pip.pip, "venv": _venv, "zipfile": _zipfile}
