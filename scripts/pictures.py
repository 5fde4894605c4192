#!/usr/bin/env python3
"""Renew the pictures of the README from real runs: docs/pictures/stages.svg and docs/pictures/test.png.

The lab must be built; `rocmimg test` runs anew. Needs Chromium for the second.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from rocmimg.matrix import load
from rocmimg.plan import make_plan
from rocmimg.plan.changed import after_change_of
from rocmimg.report.page import graph, svg
from rocmimg.report.page.records import stages_of

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "pictures"
CELL, COMPONENT = "rocm720-gfx942", "aiter"
SIZE = (1000, 680)
LARGEST = 150_000


def stages() -> str:
    """What a bump of one component rebuilds, as a file of its own that is dark where the reader's page is."""
    plan = make_plan(load(ROOT / "images.yaml"), [CELL])
    (rebuild,) = (one for one in after_change_of(plan, [COMPONENT]) if one.id == CELL)
    drawn = svg.draw(
        graph.graph(stages_of(plan[CELL], rebuild.stages), rebuilt=True),
        f"Stages of {CELL}",
        f"What another pin of {COMPONENT} rebuilds: {', '.join(rebuild.stages)}.",
        "stages",
    )
    css = files("rocmimg.report.page").joinpath("page.css").read_text(encoding="utf-8")
    colours = css[: css.index("* { box-sizing")]
    return re.sub("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', drawn, count=1).replace(
        "><title", f'><style>{colours}</style><rect width="100%" height="100%" fill="var(--card)"/><title', 1
    )


def screenshot(page: Path, picture: Path) -> None:
    """The top of a page, in light colours."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        sys.exit("there is no Chromium: scripts/apt-install.sh chromium")
    with tempfile.TemporaryDirectory() as profile:
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        command += [f"--user-data-dir={profile}", f"--window-size={SIZE[0]},{SIZE[1]}", f"--screenshot={picture}"]
        subprocess.run([*command, page.as_uri()], check=True, timeout=120, capture_output=True)


def main() -> None:
    """Write both."""
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "stages.svg").write_text(stages(), encoding="utf-8")
    with tempfile.TemporaryDirectory() as scratch:
        page = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else Path(scratch) / "test.html"
        if len(sys.argv) == 1:
            lab = [sys.executable, "-m", "rocmimg", "test", "-f", str(ROOT / "examples/lab/images.yaml"), "lab"]
            subprocess.run([*lab, "--html", str(page)], check=True)
        screenshot(page, FOLDER / "test.png")
    for picture in FOLDER.iterdir():
        if picture.stat().st_size > LARGEST:
            sys.exit(f"{picture} is larger than {LARGEST} bytes")


if __name__ == "__main__":
    main()
