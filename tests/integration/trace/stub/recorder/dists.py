"""Python distributions in the real interpreter's site folder: enough of each for importlib.metadata, .pth files and
find_spec to be the real ones.
"""

from __future__ import annotations

import re
import shutil
import site
from pathlib import Path

from call import Refused, data, must_exist, provide, write

SITE = Path(site.getsitepackages()[0])
VERSION = "0.0.0"
"""What a checkout builds."""
NEWEST = "9999"
"""The version that an index has for whatever is asked of it without a pin."""

_REQUIREMENT = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[(?P<extras>[\w,\s.-]*)\])?\s*"
    r"(?P<spec>(?:(?:===|==|~=|!=|<=|>=|<|>)\s*[\w.*+!-]+\s*,?\s*)*)(?:@\s*(?P<url>\S+))?\s*(?:;(?P<marker>.*))?"
)


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


class Requirement:
    def __init__(self, name: str, spec: str, url: str) -> None:
        self.name = name
        self.spec = spec
        self.url = url

    @property
    def pin(self) -> str:
        found = re.search(r"(?<![=!~<>])==\s*([^\s,]+)", self.spec)
        return found[1] if found and "*" not in found[1] else ""


def requirement(text: str) -> Requirement:
    match = _REQUIREMENT.fullmatch(text.strip())
    if not match:
        raise Refused(f"ERROR: Invalid requirement: {text!r}", 1)
    return Requirement(name=normal(match["name"]), spec=match["spec"].strip(), url=match["url"] or "")


def requirements(path: str) -> list[str]:
    """The lines of a requirements or constraints file."""
    lines = must_exist(path, "ERROR: Could not open requirements file:").read_text().splitlines()
    bare = (line.partition(" #")[0].strip() for line in lines)
    return [line for line in bare if line and not line.startswith("#")]


def installed() -> dict[str, str]:
    """Read by hand: importlib.metadata takes longer to import than a recorder to run."""
    found = {}
    for info in SITE.glob("*.dist-info"):
        fields = dict(line.split(": ", 1) for line in (info / "METADATA").read_text().splitlines()[1:3])
        found[normal(fields["Name"])] = fields["Version"]
    return dict(sorted(found.items()))


def uninstall(name: str) -> bool:
    found = False
    for info in SITE.glob("*.dist-info"):
        if normal(info.name.removesuffix(".dist-info").rpartition("-")[0]) == normal(name):
            for line in (info / "RECORD").read_text().splitlines():
                (SITE / line.split(",")[0]).unlink(missing_ok=True)
            shutil.rmtree(info)
            found = True
    return found


def install(name: str, version: str, files: dict[str, str] | None = None) -> None:
    """One distribution: these files of its own, or what its stand-in has where it comes from an index."""
    uninstall(name)
    brings = data("distributions").get(normal(name), {})
    own = brings.get("files", {}) if files is None else files
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    requires = "".join(f"Requires-Dist: {line}\n" for line in brings.get("requires", ()))
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}\nText.\n"
    record = "".join(f"{path},,\n" for path in (*own, f"{info}/METADATA", f"{info}/RECORD"))
    write({**own, f"{info}/METADATA": metadata, f"{info}/RECORD": record}, SITE)
    provide(*brings.get("commands", ()))


class Project:
    """A source tree with a pyproject.toml."""

    def __init__(self, folder: Path, name: str, extras: dict[str, list[str]]) -> None:
        self.folder = folder
        self.name = name
        self.extras = extras

    def files(self) -> dict[str, str]:
        """What its packages hold, by path in the site folder."""
        found = {}
        for package in sorted(path.parent for path in self.folder.glob("*/__init__.py")):
            for file in sorted(p for p in package.rglob("*") if p.is_file() and not p.is_symlink()):
                found[str(file.relative_to(self.folder))] = file.read_text()
        return found

    def wheel(self, to: Path) -> None:
        write_wheel(to, self.name, VERSION, self.files())

    def install(self) -> None:
        install(self.name, VERSION, self.files())

    def install_editable(self, *, compat: bool) -> None:
        """Without compat, setuptools' finder comes after the path finder: find_spec never gets as far."""
        install(self.name, VERSION, {f"{self.name}.pth": f"{self.folder}\n"} if compat else {})


def project(folder: Path) -> Project:
    if not (folder / "pyproject.toml").exists():
        raise Refused(f"ERROR: {folder} does not appear to be a Python project: it has no pyproject.toml", 1)
    import tomllib

    said = tomllib.loads((folder / "pyproject.toml").read_text()).get("project", {})
    return Project(
        folder=folder.resolve(),
        name=said.get("name") or folder.resolve().name,
        extras=said.get("optional-dependencies", {}),
    )


def write_wheel(to: Path, name: str, version: str, files: dict[str, str]) -> None:
    import zipfile

    to.mkdir(parents=True, exist_ok=True)
    stem = f"{name.replace('-', '_')}-{version}"
    with zipfile.ZipFile(to / f"{stem}-py3-none-any.whl", "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
        archive.writestr(f"{stem}.dist-info/METADATA", f"Name: {name}\nVersion: {version}\n")


def install_wheel(path: Path) -> None:
    import zipfile

    if not zipfile.is_zipfile(path):
        raise Refused(f"ERROR: {path} is no wheel", 1)
    with zipfile.ZipFile(path) as archive:
        files = {n: archive.read(n).decode() for n in archive.namelist() if ".dist-info/" not in n}
    name, version, *_ = path.name.split("-")
    install(normal(name), version, files or None)


if __name__ == "__main__":
    print("\n".join(f"{name}=={version}" for name, version in installed().items()))
