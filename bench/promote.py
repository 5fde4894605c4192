"""Promote a release of eight cells, a tag and an alias each, in a real registry behind 50 ms of latency.

Limit: 2 s a name. The candidates are put there through the registry's API, so no engine is needed; what a promotion
does is the same for 1 KB and for 25 GB, as no layer moves.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "integration"))

from release.registries import FaultyProxy, running
from release.world import prove, put_candidate

from rocmimg.matrix import load
from rocmimg.release import promote, rollback

CELLS = 8
LATENCY_S = 0.05
LIMIT_S = 2.0


def main() -> int:
    if not shutil.which("docker-registry"):
        print("  not run: Debian's docker-registry is not installed")
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with running(folder / "registry") as host, FaultyProxy(host).running() as proxy:
            path = folder / "images.yaml"

            def release(version: str) -> promote.Release:
                targets = "".join(f"  t{n}: {{extends: all, gpu_archs: [gfx942]}}\n" for n in range(CELLS))
                path.write_text(
                    f"targets:\n  all:\n    base: debian:13\n    registry: {proxy.host}\n    image: bench/images\n"
                    f"    version: {version}\n    aliases: ['{{target}}-latest']\n{targets}"
                )
                matrix = load(path)
                return promote.open_release(matrix, [cell.id for cell in matrix.cells], print)

            for version in ("v1", "v2"):
                proxy.delay_s = 0
                chosen = release(version)
                for image in chosen.images:
                    repository, manifest, plan = put_candidate(image, salt=f"{version} {image.id}")
                    prove(repository, manifest, image.id, plan)
                proxy.delay_s = LATENCY_S
                began = time.perf_counter()
                chosen.settle()
                ready = promote.prepare(chosen, {})
                promote.promote(chosen, ready, {})
                took = time.perf_counter() - began
            names = sum(len(cell.tags) + len(cell.aliases) for cell in ready)
            began = time.perf_counter()
            chosen.settle()
            rollback.roll_back(chosen, rollback.prepare(chosen))
            back = time.perf_counter() - began
    print(
        f"  promote {CELLS} cells, {names} names     {took:6.2f} s, {took / names:.2f} s a name (limit {LIMIT_S:.0f} s)"
    )
    print(f"  roll {CELLS} aliases back           {back:6.2f} s, {back / CELLS:.2f} s a name")
    return took / names > LIMIT_S


if __name__ == "__main__":
    sys.exit(main())
