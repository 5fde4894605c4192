"""The main job's speed: start-up, nothing to do, and `docker buildx bake` on the same Dockerfiles."""

from __future__ import annotations

import json
import subprocess
import tempfile
import uuid
from pathlib import Path

from measure import ROCMIMG, in_turn

ROOT = Path(__file__).parents[1]
BASE = "rocmimg/lab-base:dev"
IMAGE = "rocmimg-bench/cell"
RUNS = 5


def synthetic(folder: Path, cells: int) -> None:
    """``cells`` cells with three small steps each, on the lab's base."""
    components = folder / "templates" / "components"
    components.mkdir(parents=True)
    (components / "step.yaml").write_text(
        "description: A step\nsources: [none]\noptions: {n: {type: int, default: 0, help: n}}\n"
    )
    (components / "step.j2").write_text(
        '{% extends "components/component.j2" %}{% block source %}{% endblock %}'
        f"{{% block build %}}RUN echo {uuid.uuid4().hex} {{{{ options.n }}}} > /made\n{{% endblock %}}"
        "{% block install %}COPY --from=step /made /made\nRUN cat /made\n{% endblock %}"
    )
    targets = {
        f"t{n}": {"gpu_archs": ["gfx942"], "base": BASE, "image": IMAGE, "components": {"step": {"options": {"n": n}}}}
        for n in range(cells)
    }
    (folder / "images.yaml").write_text(json.dumps({"targets": targets}))


def bake_file(folder: Path) -> None:
    """The same cells for bake."""
    subprocess.run([*ROCMIMG, "render", "-o", "out"], cwd=folder, check=True, capture_output=True)
    rows = json.loads(subprocess.run([*ROCMIMG, "list", "--json"], cwd=folder, check=True, capture_output=True).stdout)
    targets = {row["id"]: {"context": f"out/{row['id']}", "tags": [f"{row['tags'][0]}-bake"]} for row in rows}
    document = {"group": {"default": {"targets": list(targets)}}, "target": targets}
    (folder / "docker-bake.json").write_text(json.dumps(document))


def main() -> None:
    """Print every figure."""
    print("start-up")
    in_turn({"rocmimg --help": [*ROCMIMG, "--help"], "rocmimg list": [*ROCMIMG, "list"]}, RUNS, ROOT)
    print("nothing to do")
    in_turn({"rocmimg build lab": [*ROCMIMG, "build", "-f", "examples/lab/images.yaml", "lab"]}, RUNS, ROOT)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        synthetic(folder, 1000)
        print("1,000 cells")
        in_turn({"rocmimg list": [*ROCMIMG, "list"], "rocmimg render -o": [*ROCMIMG, "render", "-o", "out"]}, 3, folder)
    buildx = subprocess.run([ROOT / "scripts/unpack-buildx.sh"], check=False, capture_output=True, text=True)
    if buildx.returncode != 0:
        print("  not run: 18 cells beside buildx bake: scripts/unpack-buildx.sh needs mmdebstrap and Debian's mirror")
        return
    bake = [buildx.stdout.strip(), "bake", "--progress=plain", "--load"]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        synthetic(folder, 18)
        bake_file(folder)
        jobs = ["--jobs", "18"]
        print("18 cells, every step anew")
        cold = {"rocmimg build": [*ROCMIMG, "build", "--no-cache", *jobs], "buildx bake": [*bake, "--no-cache"]}
        _ratio(in_turn(cold, 3, folder))
        print("18 cells, all up to date")
        _ratio(in_turn({"rocmimg build": [*ROCMIMG, "build", *jobs], "buildx bake": bake}, RUNS, folder))
    _clean()


def _ratio(medians: dict[str, float]) -> None:
    print(f"  {'bake / rocmimg':48} {medians['buildx bake'] / medians['rocmimg build']:7.2f}")


def _clean() -> None:
    from rocmimg.engine import connect

    with connect() as engine:
        for image in engine.images():
            for tag in image.tags:
                if tag.startswith(IMAGE):
                    engine.remove(tag, force=True)


if __name__ == "__main__":
    main()
