from __future__ import annotations

import json
from importlib import resources
from typing import Any, Final

from rocmimg.checks import Image, check, fail, not_applicable, not_run
from rocmimg.checks.backend import CommandStopped, host_of
from rocmimg.checks.suite.gpu_errors import needs_gpu
from rocmimg.engine import ContainerSpec, connect

_USER: Final = "1000730000:0"
"""As OpenShift does: a number that /etc/passwd does not know, in the root group."""
_SHM: Final = 64 << 20
_TMPFS: Final = {"/tmp": "rw,exec,size=2g,mode=1777"}  # noqa: S108
_LIMIT_S: Final = 600.0
_PATHS: Final = "or give the folder to the group root with the mode of its owner (chmod g=u) and mount a volume there"


@check("restricted", tier="import", classes=["F53"])
def check_restricted(image: Image) -> None:
    """The image runs as an unknown user id, on a read-only root with /tmp and a small /dev/shm, as on OpenShift."""
    if not image.restricted:
        not_applicable("not asked: `--as restricted`, or `conditions: [restricted]` under checks")
    if image.probe.kind == "no-python":
        not_applicable("there is no Python in the image")
    job = {"modules": _modules(image), "distributions": _distributions(image)}
    source = (resources.files("rocmimg.checks.scripts") / "restricted.py").read_text(encoding="utf-8")
    spec = ContainerSpec(
        image=image.detail["id"], user=_USER, read_only=True, tmpfs=_TMPFS, shm_bytes=_SHM, pids_limit=4096
    )
    python = image.probe["interpreter"]["executable"]
    with connect() as engine, engine.run(spec) as container:
        try:
            done = host_of(container, timeout=_LIMIT_S).run("%s -c %s %s", python, source, json.dumps(job))
        except CommandStopped as stopped:
            not_run(f"the restricted run {stopped.reason}")
    said = _last(done.stdout)
    if said is None:
        fail(
            f"Python does not start restricted: {done.stderr.strip()[-300:]}",
            cause=f"the user {_USER}, a read-only root",
            fix="make the interpreter's folders readable for everybody",
        )
    others = [name for name, one in said["imports"].items() if one["error"] and name not in job["modules"]]
    if others:
        # Whether these work otherwise has not been asked yet.
        again = json.dumps({"modules": others, "distributions": []})
        usual = _last(image.host(timeout=_LIMIT_S).run("%s -c %s %s", python, source, again).stdout) or {"imports": {}}
        for name in others:
            if usual["imports"].get(name, {"error": "x"})["error"]:
                del said["imports"][name]
    _judge(image, said)


def _last(output: str) -> dict[str, Any] | None:
    """The answer in the last line."""
    try:
        said = json.loads(output.strip().splitlines()[-1])
    except (ValueError, IndexError):
        return None
    return said if isinstance(said, dict) else None


def _modules(image: Image) -> list[str]:
    """The components, torch's family, the entry point, where they can be imported at all."""
    imports = image.probe.get("imports", {})
    names = [name for name, one in imports.items() if isinstance(one, dict) and not one.get("error", "x")]
    entry = image.probe.get("entry", {})
    answer = entry.get("import") or {}
    if entry.get("module") and not answer.get("error", "x"):
        names.append(entry["module"])
    return list(dict.fromkeys(names))


def _distributions(image: Image) -> list[str]:
    """Python packages that images.yaml names."""
    expect = image.expect
    return list(dict.fromkeys((*expect.keep, *expect.pip, *expect.common_pip)))


def _judge(image: Image, said: dict[str, Any]) -> None:
    image.note(user=_USER, modules=list(said["imports"]), folders=said["folders"])
    if said["user"]:
        image.finding(
            f"getpass.getuser() fails: {said['user']}",
            cause="/etc/passwd has no entry for an arbitrary user id, and neither LOGNAME nor USER is set; Inductor "
            "and others name their caches after the user",
            fix="ENV USER=app LOGNAME=app, or nss_wrapper; TORCHINDUCTOR_CACHE_DIR for Inductor alone",
        )
    for one in said["folders"]:
        if not one["writable"]:
            image.finding(
                f"{one['what']}: {one['path']} cannot be written to",
                path=one["path"],
                cause="the home of a user without an entry is /, the root is read-only or belongs to root, and no "
                "variable points elsewhere",
                fix=f"ENV {one['variable']}=/tmp/...; {_PATHS}",
            )
    for module, one in said["imports"].items():
        if one["error"] and not (image.gpu is None and needs_gpu(one["error"], one["trace"])):
            image.finding(
                f"import {module} fails restricted, and works otherwise: {one['error']}",
                cause=one["trace"].strip().rpartition("\n")[2] or "the import does not end",
                fix="let it write below /tmp, and not ask for the user's name or home at import",
            )
