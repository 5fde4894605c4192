"""An engine that dies in the middle of the work."""

from __future__ import annotations

import gc
import os
import signal
from pathlib import Path

import pytest

from rocmimg.engine import BuildRequest, Event, StepStarted
from rocmimg.errors import EngineError

from .conftest import BASE, asked, build_base, isolated, open_engine


# docker-py leaves a socket open where nobody accepts it any more.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("name", asked("docker", "podman"))
def test_an_engine_that_dies_during_a_build_is_an_engine_error(name: str, tmp_path: Path) -> None:
    with isolated(name, tmp_path) as started:
        engine = open_engine(started)
        build_base(engine)

        def listener(event: Event) -> None:
            if isinstance(event, StepStarted) and "609.5" in event.name:
                assert started.pid is not None
                os.kill(started.pid, signal.SIGKILL)

        with pytest.raises(EngineError, match="went away"):
            engine.build(BuildRequest(dockerfile=f"FROM {BASE}\nRUN sleep 609.5\n"), listener)
        with pytest.raises(EngineError):
            engine.images()
        engine.close()
        gc.collect()  # or the warning about it comes to the next test
