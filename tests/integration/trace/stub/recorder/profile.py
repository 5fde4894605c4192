"""Run once per base image: give the stub the commands, distributions and files that the real base has."""

import os
import sys
from pathlib import Path

sys.path.insert(0, "/opt/trace/recorder")

import dists
from call import ROOT, data, project_sources, provide, write

ROCM = Path("/opt/rocm")


def main(name: str) -> None:
    profile = data("profiles")["profiles"][name]
    provide(*profile["commands"])
    (ROOT / "python-version").write_text(profile["python"])
    for dist, version in profile["distributions"].items():
        dists.install(dist, version)
    if profile["rocm"]:
        programs = ("bin/hipcc", "bin/hipconfig", "llvm/bin/clang", "llvm/bin/llvm-config")
        write({**dict.fromkeys(programs, "@"), "lib/libamdhip64.so": ""}, ROCM)
        write(project_sources("amdsmi", "amdsmi"), ROCM / "share/amd_smi")


main(os.environ["PROFILE"])
