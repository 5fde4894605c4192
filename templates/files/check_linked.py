"""Check that every program and shared object finds the libraries that it needs.

usage: check_linked.py [--installed-from=FOLDER] PATH...

With --installed-from, those files are checked that a copy of FOLDER to / brought. A library that only another Python
package has counts as found: that package loads it first, as torch does.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

ELF_HEADER = 20


def main() -> None:
    files: list[Path] = []
    for argument in sys.argv[1:]:
        tree = argument.removeprefix("--installed-from=")
        if tree != argument:
            files += [Path("/") / path.relative_to(tree) for path in walk(Path(tree))]
        else:
            files += walk(Path(argument))
    machine = header(Path(sys.executable))
    missing: dict[str, list[str]] = {}
    checked = 0
    for path in files:
        if path.is_file() and not path.is_symlink() and header(path) == machine:
            checked += 1
            for line in unresolved(path):
                missing.setdefault(line, []).append(str(path))
    loaded = {path.name for path in packaged()} if missing else set()
    wrong = []
    for line, users in missing.items():
        library = line.partition(" ")[0]
        if "=>" in line and library in loaded:
            print(
                f"{library}: of another Python package, which loads it first; for {users[0]} and {len(users) - 1} more"
            )
        else:
            wrong.append(f"{line}; needed by {', '.join(users[:5])}{' ...' if users[5:] else ''}")
    if wrong:
        raise SystemExit("\n".join(wrong))
    print(f"{checked} programs and shared objects find their libraries")


def walk(path: Path) -> Iterator[Path]:
    if not path.exists():
        raise SystemExit(f"there is no {path}")
    if path.is_file():
        yield path
    for folder, _, names in os.walk(path):
        yield from (Path(folder) / name for name in names)


def header(path: Path) -> tuple[bytes, bytes] | None:
    """Class and machine of an executable or shared object; None for other files, GPU code among them."""
    with path.open("rb") as stream:
        start = stream.read(ELF_HEADER)
    if start[:4] != b"\x7fELF" or start[16] not in (2, 3):
        return None
    return start[4:6], start[18:20]


def unresolved(path: Path) -> list[str]:
    done = subprocess.run(["ldd", str(path)], capture_output=True, text=True, check=False, timeout=60)
    return [line.strip().replace(f"{path}: ", "") for line in done.stdout.splitlines() if "not found" in line]


def packaged() -> Iterator[Path]:
    """Shared objects of all Python packages."""
    for site in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        yield from (path for path in walk(Path(site)) if ".so" in path.name)


if __name__ == "__main__":
    main()
