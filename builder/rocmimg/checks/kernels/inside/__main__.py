"""``python3 inside SCRIPT ARGUMENT...`` runs one of the scripts beside this file, wherever the folder lies."""

import runpy
import sys
from pathlib import Path

# A folder that is run is on the path itself; the scripts are a package in it.
sys.path[0] = str(Path(__file__).resolve().parents[1])
del sys.argv[0]
runpy.run_module(f"inside.{sys.argv[0]}", run_name="__main__", alter_sys=True)
