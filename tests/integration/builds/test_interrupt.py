"""Ctrl-C while a base image is pulled from a registry that stands still."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from release.registries import _Quiet, _serving

from rocmimg.cli import INTERRUPTED

pytestmark = pytest.mark.engine


def test_ctrl_c_ends_a_pull(tmp_path: Path, host_engine) -> None:
    asked, go_on = threading.Event(), threading.Event()

    class Handler(_Quiet):
        def answer(self) -> None:
            if "/manifests/" in self.path:
                asked.set()
                go_on.wait()
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

    for method in ("GET", "HEAD"):
        setattr(Handler, f"do_{method}", Handler.answer)
    with _serving(Handler) as port:
        (tmp_path / "images.yaml").write_text(
            f"targets: {{t: {{gpu_archs: [gfx942], base: '127.0.0.1:{port}/base:1', image: rocmimg-test/interrupt}}}}"
        )
        with subprocess.Popen(
            [sys.executable, "-m", "rocmimg", "build"],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ,
        ) as process:
            try:
                assert asked.wait(60), "the engine never asked the registry"
                process.send_signal(signal.SIGINT)
                said, _ = process.communicate(timeout=30)
            finally:
                process.kill()
                go_on.set()
    assert process.returncode == INTERRUPTED, said
    assert "Traceback" not in said
    assert "cancelled" in said
