"""rustup, cargo and maturin."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import dists
from call import Arguments, Call, Refused, must_exist, provide


def rustup_init(call: Call) -> None:
    options = Arguments("rustup-init").flags("-y", "--no-modify-path", "--quiet|-q")
    said = call.parse(options.values("--default-toolchain", "--profile", "--component|-c"))
    if not said.y:
        raise Refused("rustup-init would ask", 1)
    call.facts["toolchain"] = said.default_toolchain
    provide("cargo", "rustc", "rustup", folder=os.environ.get("CARGO_HOME", "/root/.cargo") + "/bin")


def rustup(call: Call) -> None:
    options = Arguments("rustup").flags("--no-self-update").values("--profile", "--component|-c")
    said = call.parse(options.words("words", "+"))
    if said.words[:2] != ["toolchain", "install"] or len(said.words) < 3:
        raise Refused(f"rustup {said.words}")
    call.facts["toolchain"] = said.words[2:]


def cargo(call: Call) -> None:
    verb, *rest = call.args or [""]
    options = Arguments(f"cargo {verb}").flags("--release|-r", "--locked").values("--manifest-path", "--features|-F")
    said = call.parse(options, rest)
    if verb != "build":
        raise Refused(f"error: no such command: {verb!r}", 101)
    must_exist(said.manifest_path[-1] if said.manifest_path else "Cargo.toml", "error: could not find")
    call.facts["verb"] = verb


def maturin(call: Call) -> None:
    verb, *rest = call.args or [""]
    options = Arguments(f"maturin {verb}").flags("--release|-r", "--locked", "--strip", "--offline")
    options.values("--manifest-path|-m", "--features|-F", "--out|-o", "--interpreter|-i", "--compatibility")
    said = call.parse(options, rest)
    if verb != "build":
        raise Refused(f"maturin {verb}")
    manifest = Path(said.manifest_path[-1] if said.manifest_path else "Cargo.toml")
    must_exist(manifest, "maturin needs")
    if not shutil.which("cargo"):
        raise Refused("cargo is not there", 1)
    call.stands_for("Cargo.toml", manifest.parent)
    dists.project(manifest.parent).wheel(Path(said.out[-1] if said.out else "target/wheels"))
    call.facts |= {"verb": verb, "features": said.features}
