"""apt: packages bring the commands that steps use, and lists must have been fetched."""

from __future__ import annotations

import re
from pathlib import Path

import dists
from call import ROOT, Arguments, Call, Refused, data, must_exist, provide, write

LISTS = Path("/var/lib/apt/lists")
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9.+-]+(?::[a-z0-9]+)?(?:=[\w.+:~*-]+)?")


def apt(call: Call) -> None:
    call.tool = "apt"
    options = Arguments(call.name).flags(
        "--yes|-y", "--quiet|-q", "-qq", "--no-install-recommends", "--allow-downgrades", "--purge", "--auto-remove",
        "--allow-change-held-packages", "--reinstall", "--download-only",
    )  # fmt: skip
    said = call.parse(options.values("--option|-o").words("words", "+"))
    verb, *words = said.words
    call.facts |= {"verb": verb, "packages": words}
    if verb == "update":
        LISTS.mkdir(parents=True, exist_ok=True)
        (LISTS / "trace_Packages").write_text("fetched\n")
    elif verb == "install":
        if not said.yes:
            raise Refused("apt would ask", 1)
        _install(words)
    elif verb in ("remove", "purge", "autoremove"):
        if not said.yes:
            raise Refused("apt would ask", 1)
    elif verb not in ("clean", "autoclean"):
        raise Refused(f"E: Invalid operation {verb}", 100)


def _install(words: list[str]) -> None:
    if not words:
        raise Refused("no packages")
    for word in words:
        if word.startswith(("/", "./")):
            must_exist(word, "E: the file")
            continue
        if not _PACKAGE.fullmatch(word):
            raise Refused(f"E: Unable to locate package {word}", 100)
        if not any(LISTS.glob("*_Packages")):
            raise Refused(f"E: Unable to locate package {word}: no lists were fetched", 100)
        brings = data("packages").get(word.partition("=")[0], {})
        provide(*brings.get("commands", ()))
        write(brings.get("files", {}))
        for name, version in brings.get("distributions", {}).items():
            dists.install(name, version)
        with (ROOT / "packages").open("a") as packages:
            packages.write(f"{word}\n")
