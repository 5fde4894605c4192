"""One call of a recorded command, and what its recorder may do."""

from __future__ import annotations

import argparse
import json
import os
import stat
from pathlib import Path

LOG = Path("/opt/trace/log")
ROOT = Path("/opt/trace")
LENIENT = ROOT / "lenient"
"""Where this file is, what a recorder refuses is noted and goes on: for upstream's Dockerfile (tracing/parity.py)."""
STEP_OUTPUT = 9
# What a shell sets for itself says nothing about a recipe.
NOISE = frozenset({"PWD", "OLDPWD", "SHLVL", "_", "HOSTNAME", "HOME", "TERM"})
UNVOUCHED = 97
STATE = "trace.json"
"""In a .git folder: which repository and which commit it is."""


class Refused(Exception):
    """The real command would not accept this call, or the recorder does not know that it would."""

    def __init__(self, why: str, code: int = 2) -> None:
        self.code = code
        super().__init__(why)


class Arguments(argparse.ArgumentParser):
    """Strict: an option that is not declared is an error, as a swallowed `&&` would be."""

    def __init__(self, name: str) -> None:
        super().__init__(prog=name, add_help=False, allow_abbrev=False)

    def flags(self, *names: str) -> Arguments:
        for name in names:
            self.add_argument(*name.split("|"), action="store_true")
        return self

    def values(self, *names: str) -> Arguments:
        for name in names:
            self.add_argument(*name.split("|"), action="append", default=[])
        return self

    def words(self, name: str, count: str | int = "*") -> Arguments:
        self.add_argument(name, nargs=count)
        return self

    def error(self, message: str) -> None:
        raise Refused(message)


class Call:
    """A command as it was started."""

    def __init__(self, path: str, args: list[str]) -> None:
        self.path = path
        self.args = args
        self.tool = ""
        """What it is, however it was spelled: `python3 -m pip` is pip."""
        self.facts: dict[str, object] = {}
        """What the recorder understood."""

    @property
    def name(self) -> str:
        return Path(self.path).name

    def parse(self, arguments: Arguments, args: list[str] | None = None) -> argparse.Namespace:
        return arguments.parse_intermixed_args(self.args if args is None else args)

    def print(self, text: str) -> None:
        """The fixture for this command's output."""
        self.facts["printed"] = True
        print(text, flush=True)

    def stands_for(self, file: str, folder: Path) -> None:
        """A build file of a component's own: the real command would run it, and the trace does not."""
        checkout = checkout_of(folder.resolve())
        project = checkout["url"].removesuffix(".git").rpartition("/")[2] if checkout else folder.resolve().name
        said = self.facts.setdefault("not_executed", [])
        assert isinstance(said, list)
        said.append(f"{file} of {project}")

    def output_is_read(self) -> bool:
        try:
            step = os.fstat(STEP_OUTPUT)
        except OSError:
            raise Refused("started outside the stub's shell", UNVOUCHED) from None
        mine = os.fstat(1)
        if stat.S_ISCHR(mine.st_mode):
            return False
        return (mine.st_dev, mine.st_ino) != (step.st_dev, step.st_ino)

    def log(self, code: int, checkout: dict[str, str] | None) -> None:
        record = {
            "tool": self.tool or self.name,
            "argv": [self.path, *self.args],
            "cwd": str(Path.cwd()),
            "env": {name: value for name, value in sorted(os.environ.items()) if name not in NOISE},
            "checkout": checkout,
            "exit": code,
            "facts": self.facts,
        }
        with LOG.open("a", encoding="utf-8") as log:
            log.write(json.dumps(record) + "\n")


def provide(*commands: str, folder: str = "/usr/bin") -> None:
    """Make recorded commands available."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    for command in commands:
        link = Path(folder) / command
        if not link.is_symlink() and not link.exists():
            link.symlink_to(ROOT / "recorder/record")


def must_exist(path: str | Path, what: str) -> Path:
    if not Path(path).exists():
        raise Refused(f"{what} {path} does not exist", 1)
    return Path(path)


def data(name: str) -> dict[str, dict]:
    """One of the tables that say what a stand-in has."""
    return json.loads((ROOT / f"{name}.json").read_text())


def write(files: dict[str, str], below: Path = Path("/")) -> None:
    """Files of a stand-in; ``@NAME`` makes one a recorded command."""
    for name, text in files.items():
        target = below / name.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        if text.startswith("@"):
            provide(target.name, folder=str(target.parent))
        else:
            target.write_text(text)


def project_sources(
    name: str,
    package: str,
    setup: tuple[str, ...] = (),
    pyproject: str = "pyproject.toml",
    extras: dict[str, list[str]] | None = None,
) -> dict[str, str]:
    """The files of a stand-in for a project's source tree."""
    lines = [f"{extra} = {wanted}" for extra, wanted in (extras or {}).items()]
    text = "\n".join((f'[project]\nname = "{name}"', "[project.optional-dependencies]", *lines))
    return {pyproject: text + "\n", f"{package}/__init__.py": "", **dict.fromkeys(setup, "raise SystemExit\n")}


def checkout_of(folder: Path) -> dict[str, str] | None:
    """The checkout that holds ``folder``: its top, url and commit."""
    for place in (folder, *folder.parents):
        if (state := place / ".git" / STATE).is_file():
            said = json.loads(state.read_text())
            return {"top": str(place), "url": said.get("url", ""), "head": said.get("head", "")}
    return None
