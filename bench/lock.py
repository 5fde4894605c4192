"""Lock the whole matrix against servers on this machine that let every look-up wait for 50 ms.

Limits: everything under 10 s. Peer: the same look-ups, one after the other.
"""

from __future__ import annotations

import hashlib
import http.server
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from packaging.requirements import Requirement

from rocmimg.lock.file import DEFAULT_INDEX
from rocmimg.lock.requests import LookupRequest, lookup_requests
from rocmimg.lock.resolve import resolve
from rocmimg.matrix import load

ROOT = Path(__file__).parents[1]
LATENCY_S = 0.05
LIMIT_S = 10.0


@contextmanager
def serve(files: dict[str, bytes], repositories: Path) -> Iterator[tuple[int, Callable[[], int]]]:
    """HTTP with the latency: a Python index, a registry's manifests, and git's own http-backend."""
    count = 0

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def answer(self) -> None:
            nonlocal count
            count += 1
            time.sleep(LATENCY_S)
            if self.path.startswith("/git/"):
                self.git()
                return
            body = files.get(self.path, b"")
            self.send_response(200 if body or self.path.startswith("/v2/") else 404)
            self.send_header("Content-Type", "application/vnd.pypi.simple.v1+json")
            self.send_header("Docker-Content-Digest", f"sha256:{hashlib.sha256(self.path.encode()).hexdigest()}")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_HEAD = do_POST = answer  # noqa: N815

        def git(self) -> None:
            path, _, query = self.path.removeprefix("/git").partition("?")
            environment = {
                "GIT_PROJECT_ROOT": str(repositories),
                "GIT_HTTP_EXPORT_ALL": "1",
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                "REQUEST_METHOD": self.command,
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            }
            data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            done = subprocess.run(["git", "http-backend"], input=data, capture_output=True, env=environment, check=True)
            head, _, body = done.stdout.partition(b"\r\n\r\n")
            self.send_response(200)
            for line in head.decode().splitlines():
                name, _, value = line.partition(": ")
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port, lambda: count
    finally:
        server.shutdown()


def projects(requests: list[LookupRequest]) -> dict[str, bytes]:
    """A page of the index for every package, with a version that fits."""
    pages: dict[str, list[dict[str, object]]] = {}
    for request in requests:
        if request.section == "packages":
            wanted = Requirement(request.name)
            bounds = [bound.version.removesuffix(".*") for bound in wanted.specifier]
            candidates = [*bounds, *(f"{bound}.1" for bound in bounds), "0.1"]
            fit = next(v for v in candidates if wanted.specifier.contains(v, prereleases=True))
            name = f"{wanted.name.replace('-', '_')}-{fit}-py3-none-any.whl"
            digest = hashlib.sha256(name.encode()).hexdigest()
            file = {"filename": name, "url": f"http://index/{name}", "hashes": {"sha256": digest}, "yanked": False}
            pages.setdefault(wanted.name.lower().replace("_", "-"), []).append(file)
    return {
        f"/simple/{name}/": json.dumps({"meta": {"api-version": "1.0"}, "name": name, "files": files}).encode()
        for name, files in pages.items()
    }


def repositories(requests: list[LookupRequest], folder: Path) -> None:
    """A repository with every tag for each that is named; a commit that is named is one of ours here."""
    for request in requests:
        if request.section != "git":
            continue
        path = folder / request.place.removeprefix("https://github.com/")
        if not path.is_dir():
            subprocess.run(["git", "init", "-q", path], check=True)
            who = ["-c", "user.name=b", "-c", "user.email=b@b"]
            subprocess.run(["git", "-C", path, *who, "commit", "-q", "--allow-empty", "-m", "one"], check=True)
        # The matrix names commits; as refs they have to be asked for, which is the harder case.
        subprocess.run(["git", "-C", path, "tag", "-f", f"ref-{request.name}"], check=True, capture_output=True)


def local(requests: list[LookupRequest], port: int) -> list[LookupRequest]:
    """The same look-ups, at our servers."""
    host = f"http://127.0.0.1:{port}"
    changed = []
    for request in requests:
        mirrors = {"https://github.com/": f"{host}/git/"}
        network = request.network.model_copy(update={"pip_index_url": f"{host}/simple/", "git_mirrors": mirrors})
        if request.section == "git":
            changed.append(replace(request, name=f"ref-{request.name}", network=network))
        elif request.section == "images":
            image = request.place.rpartition("@")[0] or request.place
            changed.append(replace(request, place=f"127.0.0.1:{port}/{image}"))
        elif request.section == "packages":
            index = DEFAULT_INDEX if request.place == DEFAULT_INDEX else f"{host}/simple/"
            changed.append(replace(request, place=index, network=network))
    return changed


def main() -> int:
    requests = lookup_requests(load(ROOT / "images.yaml").cells)
    with tempfile.TemporaryDirectory() as name:
        repositories(requests, Path(name))
        with serve(projects(requests), Path(name)) as (port, served):
            asked = local(requests, port)
            began = time.perf_counter()
            lock, _ = resolve(asked)
            together = time.perf_counter() - began
            count = served()
            began = time.perf_counter()
            for request in asked:
                resolve([request])
            apart = time.perf_counter() - began
    found = sum(len(pins) for pins in (*lock.git.values(), *lock.packages.values())) + len(lock.images)
    print(f"  {len(asked)} names of the whole matrix, {found} pinned, {count} requests, {LATENCY_S * 1000:.0f} ms each")
    print(f"  rocmimg lock                     {together:6.2f} s  (limit {LIMIT_S:.0f} s)")
    print(f"  the same, one after the other    {apart:6.2f} s  ({apart / together:.1f} times as long)")
    return together > LIMIT_S


if __name__ == "__main__":
    sys.exit(main())
