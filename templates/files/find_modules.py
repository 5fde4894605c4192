"""Check that modules are found from the work directory and from /, without importing them: some need a GPU for that.

usage: find_modules.py [--print] MODULE...

With --print, the folders that they and the rest of their distributions are in.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from importlib.metadata import distribution, packages_distributions
from importlib.util import find_spec
from pathlib import Path


def main() -> None:
    if "PYTHONPATH" in os.environ:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        raise SystemExit(subprocess.run([sys.executable, *sys.argv], env=environment, check=False).returncode)
    names = [name for name in sys.argv[1:] if name != "--print"]
    wrong = []
    for folder in (str(Path.cwd()), "/"):
        sys.path[0] = folder  # as `python -c` and `python -m` have it
        importlib.invalidate_caches()
        for name in names:
            spec = find_spec(name)
            if spec is None:
                wrong.append(f"{name} is not found from {folder}")
            elif not spec.origin:
                wrong.append(
                    f"from {folder} {name} is a folder of that name, not the package: {spec}; the install does not "
                    "win over it; editable installs need editable_mode=compat"
                )
    if wrong:
        raise SystemExit("\n".join(wrong))
    if "--print" in sys.argv:
        for path in sorted({path for name in names for path in folders(name)}):
            print(path)


def folders(name: str) -> list[Path]:
    """Where the module is, and what its distribution has beside it: folders of libraries."""
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        return []
    found = {Path(place).resolve() for place in spec.submodule_search_locations or [spec.origin]}
    for package in {place.name.partition(".")[0] for place in found}:
        for owner in packages_distributions().get(package, ()):
            tops = {file.parts[0] for file in distribution(owner).files or () if file.parts[0] != ".."}
            found |= {Path(str(distribution(owner).locate_file(top))).resolve() for top in tops}
    return sorted(path for path in found if path.exists())


if __name__ == "__main__":
    main()
