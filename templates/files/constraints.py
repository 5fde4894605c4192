"""Hold installed distributions at their versions: pip reads the file as its constraint.

usage: constraints.py hold NAME...   from here on pip may install nothing that replaces these, where they are installed
       constraints.py check          they are unchanged, nothing of CUDA is installed, and one distribution owns triton
"""

from __future__ import annotations

import os
import re
import sys
from importlib.metadata import distributions
from pathlib import Path

FILE = Path(os.environ["PIP_CONSTRAINT"])
CUDA = re.compile(r"(nvidia|cuda|cufile)-.*")
PYTHON_ONLY = {"nvidia-ml-py"}
TRITON = re.compile(r"((pytorch-|amd-)?triton|(pytorch-)?triton-rocm)")


def normal(name: str) -> str:
    """A distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def installed() -> dict[str, str]:
    found: dict[str, str] = {}
    for one in distributions():
        if one.metadata["Name"]:
            found.setdefault(normal(one.metadata["Name"]), one.version)
    return found


def held() -> dict[str, str]:
    lines = FILE.read_text().splitlines() if FILE.exists() else []
    return {normal(name): version for name, _, version in (line.partition("==") for line in lines)}


def hold(names: list[str]) -> None:
    there = installed()
    wanted = [normal(name) for name in names]
    pins = held() | {name: there[name] for name in wanted if name in there}
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text("".join(f"{name}=={version}\n" for name, version in sorted(pins.items())))
    print("held:", *(f"{name}=={pins[name]}" for name in wanted if name in there))
    if absent := [name for name in wanted if name not in there]:
        print("not installed, so not held:", *absent)


def check() -> None:
    there = installed()
    wrong = [
        f"{name}=={version} was held, and {f'it is {there[name]} now' if name in there else 'it is gone'}"
        for name, version in held().items()
        if there.get(name) != version
    ]
    wrong += [f"{name} is of CUDA" for name in there if CUDA.fullmatch(name) and name not in PYTHON_ONLY]
    if len(owners := [name for name in there if TRITON.fullmatch(name)]) > 1:
        wrong.append(f"more than one distribution owns the package triton: {', '.join(owners)}")
    if wrong:
        raise SystemExit("\n".join(wrong))


if __name__ == "__main__":
    if sys.argv[1:] == ["check"]:
        check()
    elif sys.argv[1:2] == ["hold"]:
        hold(sys.argv[2:])
    else:
        raise SystemExit(__doc__)
