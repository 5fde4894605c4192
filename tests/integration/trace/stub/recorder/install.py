"""Run once, while the stub is built: real tools move away, recorders take their names."""

from __future__ import annotations

import compileall
import py_compile
import shutil
import sys
from pathlib import Path

sys.path.insert(0, "/opt/trace/recorder")

from call import LOG, ROOT, provide

# A bare distribution has these; whatever else a step uses comes with the base's profile or with a package.
BARE = ("apt", "apt-get", "sleep", "sha256sum")


def move(name: str, to: str = "") -> None:
    """The real tool stays, under /opt/trace, for the recorders' own use."""
    found = shutil.which(name)
    if found:
        real = Path(found).resolve()
        shutil.copy2(real, ROOT / (to or name))
        real.unlink()
        Path(found).unlink(missing_ok=True)


def main() -> None:
    (ROOT / "commands").mkdir(exist_ok=True)
    for script in ("record", "shell"):
        (ROOT / "recorder" / script).chmod(0o755)
    provide("rustup-init", folder=str(ROOT / "commands"))
    LOG.write_text("")
    (ROOT / "packages").write_text("")
    for name in ("apt", "apt-get", "dpkg", "dpkg-query", "apt-cache", "apt-mark", "apt-key"):
        Path("/usr/bin", name).unlink(missing_ok=True)
    move("sha256sum")
    move("sleep")
    for link in Path("/usr/bin").glob("python3*"):
        if link.is_symlink():
            link.unlink()
    move(next(Path("/usr/bin").glob("python3.*")).name, "python3")
    provide(*BARE)
    compileall.compile_dir(ROOT / "recorder", quiet=1, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    # Last: from here on every shell is the stub's.
    shutil.copy2("/usr/bin/dash", ROOT / "sh")
    shutil.copy2("/usr/bin/bash", ROOT / "bash")
    for name in ("sh", "bash"):
        Path("/usr/bin", name).unlink()
        Path("/usr/bin", name).symlink_to(ROOT / "recorder/shell")


main()
