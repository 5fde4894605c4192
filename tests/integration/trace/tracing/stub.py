"""The stub base: Debian with recorders in the place of external commands, in one variant for each production base."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from rocmimg.builds import Options, run
from rocmimg.builds.observe import QuietView
from rocmimg.builds.results import CellResult
from rocmimg.engine import BuildRequest
from rocmimg.errors import Position
from rocmimg.matrix import load, parse_set
from rocmimg.plan import ContextFile, make_plan
from rocmimg.plan.sources import local_files

if TYPE_CHECKING:
    from rocmimg.engine import Engine

FOLDER = Path(__file__).parent.parent / "stub"
REPOSITORY = "rocmimg-trace"
_LABEL = "io.rocmimg.trace"


def profile_of(base: str) -> str:
    """The name of the profile that stands for a production base; there is none by default."""
    bases: dict[str, str] = json.loads((FOLDER / "data/profiles.json").read_text())["bases"]
    if base not in bases:
        raise LookupError(f"{base}: say in {FOLDER / 'profiles.json'} what this base image has")
    return bases[base]


class StubBases:
    """Builds each variant once; ``salt`` makes its descendants new to the engine's build cache."""

    def __init__(self, engine: Engine, salt: str = "") -> None:
        self._engine = engine
        self._context = (
            *local_files(FOLDER, ".", Position(str(FOLDER))),
            ContextFile(path="salt", data=salt.encode()),
        )
        self._ready: dict[str, str] = {}
        self._salt = salt

    def reference(self, base: str) -> str:
        """The stub's reference for a production base image."""
        profile = profile_of(base)
        if profile not in self._ready:
            self._ready[profile] = self._build(profile)
        return self._ready[profile]

    def _build(self, profile: str) -> str:
        debian = _debian(self._engine)
        key = self._key(debian)
        ref = f"{REPOSITORY}/base:{profile}" + (f"-{self._salt}" if self._salt else "")
        found = self._engine.image(ref)
        if found is None or found.labels.get(_LABEL) != key:
            request = BuildRequest(
                dockerfile=(FOLDER / "Dockerfile").read_text(),
                context=self._context,
                tags=(ref,),
                labels={_LABEL: key},
                build_args={"PROFILE": profile},
            )
            self._engine.build(request, lambda _event: None)
            if found:
                self._engine.remove(found.id)
        return ref

    def _key(self, debian: str) -> str:
        total = hashlib.sha256(debian.encode())
        for file in self._context:
            data = file.data if isinstance(file.data, bytes) else file.data.read_bytes()
            total.update(f"{file.path}\0{file.mode:o}\0{file.link}\0".encode() + data)
        return total.hexdigest()

    def remove_salted(self) -> None:
        """Take a salted run's stubs away again."""
        if self._salt:
            for ref in self._ready.values():
                self._engine.remove(ref)


def _debian(engine: Engine) -> str:
    """The id of Debian with Python, built by rocmimg itself."""
    words = os.environ.get("ROCMIMG_SET", "").split()
    network = [parse_set(word) for word in words if word.startswith("network.")]
    matrix = load(FOLDER / "images.yaml", sets=network)
    results: list[CellResult] = []
    with tempfile.TemporaryDirectory() as logs:
        plan = make_plan(matrix, [cell.id for cell in matrix.cells])
        run(plan, engine, Options(logs=Path(logs)), QuietView(), results.extend, images=engine.images())
        (result,) = results
        if result.error:
            raise result.error
    return str(result.image_id)
