from __future__ import annotations

from typing import Final

from rocmimg.checks import Image, check

_SHELLS_OWN: Final = {
    "_", "PWD", "OLDPWD", "SHLVL", "SHELL", "TERM", "USER", "LOGNAME", "MAIL", "PS1", "PS2", "PROMPT_COMMAND",
    "HISTCONTROL", "HISTSIZE", "HISTFILE", "LS_COLORS", "LS_OPTIONS", "LESSOPEN", "LESSCLOSE", "LINES",
    "COLUMNS", "HOSTNAME", "HOSTTYPE", "MACHTYPE", "OSTYPE", "BASH_ENV", "debian_chroot", "XDG_DATA_DIRS",
}  # fmt: skip


@check("shell-variables", tier="import", classes=["F12"])
def check_shell_variables(image: Image) -> None:
    """Interactive and login shells know no variable that `docker run` does not."""
    found = image.probe["surroundings"]
    own = found["env"]
    for place, env in (
        ("/etc/bash.bashrc or ~/.bashrc", found["interactive"]),
        ("/etc/profile or ~/.profile", found["login"]),
        ("/etc/environment", found["etc_environment"]),
    ):
        if env is None:
            image.unproven(f"a shell that reads {place} does not answer")
            continue
        # PATH is set anew by the start-up files of every distribution.
        only = sorted(name for name in env if name not in own and name not in _SHELLS_OWN and name != "PATH")
        if only:
            image.finding(
                f"{', '.join(only)}: set in {place} only",
                cause="`docker run IMAGE command`, exec and Kubernetes start no such shell",
                fix="declare it under `env`, so that it becomes an ENV instruction",
            )
        changed = sorted(n for n, v in env.items() if n in own and n.endswith("PATH") and n != "PATH" and own[n] != v)
        if changed:
            image.finding(
                f"{', '.join(f'{name} becomes {env[name]}' for name in changed)} in {place} only",
                cause="`docker run IMAGE command`, exec and Kubernetes start no such shell",
                fix="declare it under `env`, so that it becomes an ENV instruction",
            )
