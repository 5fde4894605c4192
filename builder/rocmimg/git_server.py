"""A folder of git repositories over HTTP on loopback, read only, for as long as a run needs it."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import os
import shutil
import subprocess
import tempfile
import threading
from http import HTTPStatus
from pathlib import Path
from typing import IO, Final
from urllib.parse import unquote

from rocmimg import git
from rocmimg.errors import SourceError

_FIRST_PORT: Final = 20_000
_PORTS: Final = 12_000  # below the ports that Linux gives to clients
_TRIES: Final = 50
_CHUNK: Final = 1 << 16
_IN_MEMORY: Final = 8 << 20
_SERVICE: Final = "git-upload-pack"
# A partial clone has to be able to ask for any object, and whoever owns the repositories has given them to us.
_CONFIG: Final = (
    ("safe.directory", "*"),
    ("uploadpack.allowFilter", "true"),
    ("uploadpack.allowAnySHA1InWant", "true"),
)


class GitServer:
    """Serves one folder until it is closed.

    The port follows from the folder's path where it is free: the URL is mounted into the steps of a build, whose cache
    would miss with another one.
    """

    def __init__(self, folder: Path) -> None:
        """Raises SourceError: there is no such folder, git is not installed, or no port is free."""
        self.folder = folder.resolve()
        if not self.folder.is_dir():
            raise SourceError(
                f"{folder} is not a folder", why="network.git_mirrors names it", next_step="give a folder or a URL"
            )
        if not shutil.which("git"):
            raise SourceError("git is not installed", why="it serves the mirrors", next_step="install git")
        self._server = _listen(self.folder)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Serve no longer."""
        self._server.shutdown()
        self._server.server_close()


def find_repository(folder: Path, path: str) -> Path | None:
    """The repository that a URL path names below ``folder``: bare or not, with or without ``.git`` at its end."""
    parts = [part for part in unquote(path).split("/") if part]
    if not parts or any(part in (".", "..") for part in parts):
        return None
    name = parts[-1]
    for last in (name, name.removesuffix(".git") if name.endswith(".git") else f"{name}.git"):
        place = folder.joinpath(*parts[:-1], last)
        for candidate in (place, place / ".git"):
            if (candidate / "HEAD").is_file() and (candidate / "objects").is_dir():
                return candidate
    return None


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    folder: Path


def _listen(folder: Path) -> _Server:
    start = int(hashlib.sha256(str(folder).encode()).hexdigest(), 16)
    for offset in range(_TRIES):
        try:
            server = _Server(("127.0.0.1", _FIRST_PORT + (start + offset) % _PORTS), _Handler)
        except OSError:
            continue
        server.folder = folder
        return server
    raise SourceError(f"cannot serve {folder}", why=f"{_TRIES} ports of 127.0.0.1 are taken", next_step="free some")


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # with an older one libcurl sends no request in chunks
    timeout = 300
    server: _Server

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        if path.endswith("/info/refs") and query == f"service={_SERVICE}":
            self._answer(path.removesuffix("/info/refs"), "/info/refs", query)
        else:
            self._refuse(HTTPStatus.FORBIDDEN, "only smart fetches are served here")

    def do_POST(self) -> None:
        if self.path.endswith(f"/{_SERVICE}"):
            self._answer(self.path.removesuffix(f"/{_SERVICE}"), f"/{_SERVICE}", "")
        else:
            self._refuse(HTTPStatus.FORBIDDEN, "nothing can be pushed here")

    def _answer(self, path: str, tail: str, query: str) -> None:
        repository = find_repository(self.server.folder, path)
        if repository is None:
            self._refuse(HTTPStatus.NOT_FOUND, f"there is no repository {path.strip('/')} in the folder of mirrors")
            return
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as body:
            length = self._read_body(body)
            body.rollover()  # the child needs a file
            body.seek(0)
            with subprocess.Popen(
                ["git", "http-backend"],
                stdin=body,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=self._environment(repository, tail, query, length),
            ) as process:
                assert process.stdout is not None  # noqa: S101
                self._send(process.stdout)

    def _environment(self, repository: Path, tail: str, query: str, length: int) -> dict[str, str]:
        config = {"GIT_CONFIG_COUNT": str(len(_CONFIG))}
        for index, (key, value) in enumerate(_CONFIG):
            config |= {f"GIT_CONFIG_KEY_{index}": key, f"GIT_CONFIG_VALUE_{index}": value}
        return {
            **git.environment(os.environ),
            **config,
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROJECT_ROOT": str(repository),
            "PATH_INFO": tail,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(length),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }

    def _read_body(self, to: IO[bytes]) -> int:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            total = 0
            while size := int(self.rfile.readline().split(b";")[0], 16):
                to.write(self.rfile.read(size))
                self.rfile.readline()
                total += size
            while self.rfile.readline().strip():  # trailers
                pass
            return total
        left = length = int(self.headers.get("Content-Length") or 0)
        while left and (piece := self.rfile.read(min(left, _CHUNK))):
            to.write(piece)
            left -= len(piece)
        return length

    def _send(self, answer: IO[bytes]) -> None:
        status, headers = HTTPStatus.OK.value, []
        while line := answer.readline().rstrip(b"\r\n"):
            name, _, value = line.decode().partition(": ")
            if name == "Status":
                status = int(value.split()[0])
            else:
                headers.append((name, value))
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Connection", "close")  # the answer's length is not known
        self.end_headers()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            shutil.copyfileobj(answer, self.wfile)

    def _refuse(self, status: HTTPStatus, why: str) -> None:
        body = f"{why}\n".encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")  # git shows such a body to its user
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass
