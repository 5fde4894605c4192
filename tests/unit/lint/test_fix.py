"""--fix changes a line only where the result is known to work."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from rocmimg.lint.service import apply_edits

from .support import findings

AITER = "WORKDIR /s\nENV AITER_USE_SYSTEM_TRITON=1\nRUN cd aiter && GPU_ARCHS=gfx942 {} install --no-deps -e .\n"
COMPAT = " --config-settings editable_mode=compat"


def fixed(text: str) -> str:
    return apply_edits(text.encode(), findings(text))[0].decode()


@pytest.mark.parametrize(
    ("base", "pip", "changes"),
    [
        ("rocm/pytorch:rocm7.2_ubuntu22.04", "pip", True),
        ("rocm/sgl-dev:x", "pip3", True),
        ("rocm/dev-ubuntu-24.04:7.2", "pip", True),
        ("rocm/dev-ubuntu-22.04:7.2", "uv pip", True),
        ("rocm/dev-ubuntu-22.04:7.2", "pip", False),  # pip 22.0 knows no --config-settings
        ("ubuntu:20.04", "pip", False),
        ("something/unknown:1", "pip", False),
    ],
)
def test_an_editable_install_is_fixed_where_pip_knows_the_option(base: str, pip: str, changes: bool) -> None:
    text = f"FROM {base}\n" + AITER.format(pip)
    assert (fixed(text) == text.replace("install", "install" + COMPAT)) is changes
    assert (fixed(text) == text) is not changes


def test_an_upgraded_pip_knows_the_option() -> None:
    text = "FROM rocm/dev-ubuntu-22.04:7.2\nRUN pip install --upgrade pip\n" + AITER.format("pip")
    assert COMPAT in fixed(text)


@pytest.mark.parametrize(
    "text",
    [
        "WORKDIR /w\nRUN git clone https://github.com/tile-ai/tilelang && cd tilelang && pip install --no-deps -e .\n",
        "WORKDIR /w\nRUN git clone https://a/thing && cd thing && pip install --no-deps -e .\n",
        "WORKDIR /w\nRUN pip install --no-deps setuptools==80.9 && cd aiter && python3 setup.py develop\n",
    ],
)
def test_what_is_not_known_to_be_setuptools_through_pip_is_left_alone(text: str) -> None:
    text = "FROM rocm/pytorch:rocm7.2\n" + text
    assert COMPAT not in fixed(text)


@pytest.mark.parametrize(
    ("base", "curl", "wget"),
    [
        ("ubuntu:24.04", " --retry 5 --retry-delay 3 --retry-all-errors", " --tries=5 --retry-connrefused"),
        ("ubuntu:20.04", " --retry 5 --retry-delay 3", " --tries=5 --retry-connrefused"),
        ("rocm/pytorch:latest", " --retry 5 --retry-delay 3", ""),
        ("alpine:3.20", "", ""),
        ("busybox", "", ""),
    ],
)
def test_fetches_get_the_options_that_the_base_knows(base: str, curl: str, wget: str) -> None:
    text = f"FROM {base}\nRUN curl -fsSLO https://a.b/c && wget -q https://a.b/d\n"
    assert fixed(text) == text.replace("curl", "curl" + curl).replace("wget", "wget" + wget)


def test_busybox_of_a_large_base_is_left_alone() -> None:
    text = "FROM ubuntu:24.04\nRUN busybox wget https://a.b/d\n"
    assert fixed(text) == text


def test_a_fixed_file_stays_as_it_is() -> None:
    text = "FROM ubuntu:24.04\nRUN curl -o /m https://a.b/c && wget -q https://a.b/d\n"
    for _ in range(3):
        text = fixed(text)
    assert text == fixed(text)
    assert text.count("--fail") == text.count("--retry-all-errors") == text.count("--tries") == 1


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "c").write_text("content")
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join(5)


@pytest.mark.parametrize("tool", ["curl -sS -o {}", "wget -q -O {}"])
def test_the_fixed_line_works(tool: str, server: str, tmp_path: Path) -> None:
    if shutil.which(tool.split(maxsplit=1)[0]) is None:
        pytest.skip(f"not run: {tool.split(maxsplit=1)[0]} is not installed")
    target = tmp_path / "got"
    text = f"FROM ubuntu:24.04\nRUN {tool.format(target)} https://a.b/c\n"
    for _ in range(2):
        text = fixed(text)
    line = text.splitlines()[1].removeprefix("RUN ")
    assert line.count("--") >= 2
    good, bad = (line.replace("https://a.b/c", f"{server}/{name}") for name in ("c", "missing"))
    subprocess.run(["sh", "-c", good], check=True, timeout=60)
    assert target.read_text() == "content"
    bad = bad.replace("--retry 5", "--retry 0")  # a missing page is tried again, with pauses
    assert subprocess.run(["sh", "-c", bad], check=False, timeout=60, capture_output=True).returncode != 0
